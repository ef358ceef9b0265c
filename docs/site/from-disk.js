// A browser that reads the pages from the disk may not load the search's index.
if (location.protocol === "file:") document.documentElement.classList.add("from-disk");
