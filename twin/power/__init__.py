"""What protects the power chain and how it is shared: phases, breakers, schemes, cords and what comes back after an outage."""
