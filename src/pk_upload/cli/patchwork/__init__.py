"""`pk-upload patchwork`: patches and what belongs to them on Patchwork, a group of commands a file."""
