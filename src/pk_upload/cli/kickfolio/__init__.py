"""`pk-upload kickfolio`: apps, versions and bundles on Kickfolio, a group of commands a file."""
