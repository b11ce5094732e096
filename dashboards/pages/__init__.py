"""The pages of the console, one file each; a page is a :class:`dashboards.pages.page.Page`."""
