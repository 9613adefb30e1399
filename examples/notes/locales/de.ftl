notes-title = Ihre Notizen
notes-text = Neue Notiz
notes-add = Hinzufügen
done-note-added = Notiz hinzugefügt.
fault-note-long = Eine Notiz hat höchstens 1000 Zeichen.
