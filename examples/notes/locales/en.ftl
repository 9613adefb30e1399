notes-title = Your notes
notes-text = New note
notes-add = Add
done-note-added = Note added.
fault-note-long = A note has at most 1,000 characters.
