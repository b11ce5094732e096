"""What people see: the session, figures, exports, console and the command line."""
