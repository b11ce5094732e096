"""The commands of ``racktwin``, a thin file each: read arguments, ask the session, print the answer."""
