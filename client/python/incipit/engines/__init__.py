"""What the plugins for engines have in common. Each plugin has a package of its own beside this one."""
