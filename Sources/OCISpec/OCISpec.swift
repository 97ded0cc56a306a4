// OCISpec: the data types of the Open Container Initiative's specifications; see ARCHITECTURE.md.
