"""How much may be lost, and who must stop."""
