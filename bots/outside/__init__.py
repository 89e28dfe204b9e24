"""What bots tell outside services, and what these may ask of bots."""
