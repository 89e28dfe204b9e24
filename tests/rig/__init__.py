"""The real gateway, engine, database and simulator on one stage, under a clock moved by hand."""
