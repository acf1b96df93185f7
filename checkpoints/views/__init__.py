"""The site's views: pages to look at, actions that start runs, and the contacts of an app database."""
