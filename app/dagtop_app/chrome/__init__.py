"""What stands around every view: header, tabs, the line above the footer."""
