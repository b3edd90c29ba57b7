"""What is typed in a shell: parsed, checked, and handed to a command."""
