"""The site: projects, their checkpoints, and the runs that move an app database between them."""
