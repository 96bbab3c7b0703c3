"""What people see of consent. No script is loaded where somebody decides."""
