"""The commands of `initbench`, one file per group; `app` is the application that has them all."""
