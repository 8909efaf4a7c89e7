"""What tests of numbers share: rows, records and artifacts by hand, and plain definitions."""
