# Die Texte von Countersign auf Deutsch.

## Zeiten

duration-minutes = { $count ->
    [one] { $count } Minute
   *[other] { $count } Minuten
}
duration-hours = { $count ->
    [one] { $count } Stunde
   *[other] { $count } Stunden
}
# Im Dativ gebraucht: „in 7 Tagen“.
duration-days = { $count ->
    [one] { $count } Tag
   *[other] { $count } Tagen
}
moment = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year } um { $time } Uhr (UTC)

## Jede Mail

mail-greeting = Hallo { $username },
mail-link-hint = Falls die Schaltfläche nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:
mail-code-hint = Oder geben Sie diesen Code ein, wenn Sie danach gefragt werden:
mail-footer = Diese Nachricht wurde automatisch von { $site } ({ $url }) verschickt. Antworten werden nicht gelesen.
mail-expiry-link = Der Link läuft in { $lifetime } ab und lässt sich nur einmal verwenden.
mail-expiry-link-and-code = Link und Code laufen in { $lifetime } ab und lassen sich nur einmal verwenden.

## Mails

mail-verify-email-subject = Bestätigen Sie Ihre E-Mail-Adresse - { $site }
mail-verify-email-intro = bitte bestätigen Sie, dass dies Ihre E-Mail-Adresse ist, damit { $site } Sie erreichen kann.
mail-verify-email-button = E-Mail-Adresse bestätigen
mail-verify-email-ignore = Wenn Sie kein Konto bei { $site } haben, ignorieren Sie diese Nachricht. Ohne Bestätigung wird Ihre Adresse nicht verwendet.

mail-complete-registration-subject = Schließen Sie Ihre Registrierung ab - { $site }
mail-complete-registration-intro = nur ein Schritt fehlt noch: Bestätigen Sie Ihre E-Mail-Adresse, und Ihr Konto bei { $site } ist bereit.
mail-complete-registration-button = Registrierung abschließen
mail-complete-registration-ignore = Wenn Sie sich nicht bei { $site } registriert haben, ignorieren Sie diese Nachricht. Ohne diesen Schritt entsteht kein Konto.

mail-already-registered-subject = Sie haben bereits ein Konto - { $site }
mail-already-registered-intro = jemand, vermutlich Sie selbst, wollte sich bei { $site } mit dieser E-Mail-Adresse registrieren. Sie haben bereits ein Konto, deshalb wurde nichts geändert.
mail-already-registered-button = Anmelden
mail-already-registered-reset = Wenn Sie Ihr Passwort vergessen haben, wählen Sie hier ein neues:
mail-already-registered-ignore = Wenn Sie es nicht waren, müssen Sie nichts tun. Wer es versucht hat, hat nicht erfahren, dass Sie ein Konto haben.

mail-reset-password-subject = Setzen Sie Ihr Passwort zurück - { $site }
mail-reset-password-intro = jemand, hoffentlich Sie selbst, möchte das Passwort Ihres Kontos bei { $site } zurücksetzen. Wählen Sie mit diesem Link ein neues:
mail-reset-password-button = Neues Passwort wählen
mail-reset-password-ignore = Wenn Sie das nicht wollten, ignorieren Sie diese Nachricht. Ihr Passwort bleibt, wie es ist.

mail-confirm-email-change-subject = Bestätigen Sie Ihre neue E-Mail-Adresse - { $site }
mail-confirm-email-change-intro = Sie möchten diese E-Mail-Adresse für Ihr Konto bei { $site } verwenden. Das geschieht, sobald Sie sie bestätigen.
mail-confirm-email-change-button = Neue Adresse bestätigen
mail-confirm-email-change-ignore = Wenn Sie das nicht wollten, ignorieren Sie diese Nachricht. Es wird nichts geändert.

mail-email-changed-subject = Ihre E-Mail-Adresse wurde geändert - { $site }
mail-email-changed-intro = die E-Mail-Adresse Ihres Kontos bei { $site } wurde in { $address } geändert. Nachrichten zum Konto kommen nicht mehr hierher.
mail-email-changed-undo = Wenn Sie es nicht waren, machen Sie die Änderung rückgängig. Der Link läuft in { $lifetime } ab.
mail-email-changed-button = Änderung rückgängig machen

mail-new-sign-in-subject = Neue Anmeldung in Ihrem Konto - { $site }
mail-new-sign-in-intro = es gab eine Anmeldung in Ihrem Konto bei { $site } von einem Gerät, das wir noch nicht kannten.
mail-new-sign-in-device = Gerät
mail-new-sign-in-address = IP-Adresse
mail-new-sign-in-time = Zeit
mail-new-sign-in-act = Wenn Sie es waren, müssen Sie nichts tun. Wenn nicht, beenden Sie jetzt diese Sitzung und ändern Sie Ihr Passwort.
mail-new-sign-in-button = Konto prüfen

mail-password-changed-subject = Ihr Passwort wurde geändert - { $site }
mail-password-changed-intro = das Passwort Ihres Kontos bei { $site } wurde am { $at } geändert.
mail-password-changed-act = Wenn Sie es waren, müssen Sie nichts tun. Wenn nicht, wählen Sie jetzt ein neues Passwort.
mail-password-changed-button = Neues Passwort wählen

mail-refresh-token-reused-subject = Eine Sitzung wurde zum Schutz Ihres Kontos beendet - { $site }
mail-refresh-token-reused-intro = am { $at } wurde eine Anmeldung in Ihrem Konto bei { $site } an zwei Stellen benutzt. Vielleicht hat jemand sie kopiert, deshalb haben wir diese Sitzung beendet.
mail-refresh-token-reused-act = Bitte melden Sie sich dort, wo Sie abgemeldet wurden, erneut an. Wenn Sie sich das nicht erklären können, ändern Sie auch Ihr Passwort.
mail-refresh-token-reused-button = Konto prüfen

mail-test-subject = Der Mailversand funktioniert - { $site }
mail-test-intro = dies ist der Test, der am { $at } verschickt wurde. { $site } kann Mails verschicken.

## Jede Seite

language-name = Deutsch
date = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year }
page-skip = Zum Inhalt springen
page-navigation = Website
page-home = Zur Startseite
page-theme-auto = Automatisch
page-theme-light = Hell
page-theme-dark = Dunkel
page-log-in = Anmelden
page-log-out = Abmelden
page-register = Registrieren
page-cancel = Abbrechen
page-save = Speichern
page-show = Zeigen
page-hide = Verbergen
page-problems = Das hat noch nicht geklappt
page-strength-1 = Leicht zu erraten
page-strength-2 = Brauchbar; länger ist besser
page-strength-3 = Schwer zu erraten

## Fehlerseiten

problem-title = Etwas ist schiefgegangen
problem-text = Es ist ein Fehler aufgetreten. Bitte prüfen Sie Ihre Anfrage und versuchen Sie es erneut.
problem-invalid-title = Ungültige Anfrage
problem-invalid-text = Ungültige Anfrage. Bitte prüfen Sie Ihre Eingabe und versuchen Sie es erneut.
problem-not-found-title = Seite nicht gefunden
problem-cross-site-title = Anfrage von einer anderen Website
problem-busy-title = Im Moment überlastet
problem-login-title = Bitte melden Sie sich an

## Felder von Formularen

fault-missing = Bitte füllen Sie dieses Feld aus.
fault-invalid = Diese Angabe wird nicht angenommen: Sie ist doppelt oder enthält unsichtbare Zeichen.
fault-email = Bitte geben Sie eine E-Mail-Adresse ein, zum Beispiel ada@example.com.
fault-username-blank = Der Benutzername braucht mindestens ein sichtbares Zeichen.
fault-username-long = Der Benutzername darf höchstens 50 Zeichen haben.
fault-username-unprintable = Der Benutzername darf keine Steuerzeichen und keine unsichtbaren Zeichen enthalten.
fault-username-marks = Im Benutzernamen dürfen über oder unter einem Buchstaben höchstens vier Zeichen stehen.
fault-username-at = Der Benutzername darf kein @ enthalten, damit er nicht mit einer E-Mail-Adresse verwechselt wird.
fault-username-taken = Dieser Benutzername ist schon vergeben.
fault-email-taken = Mit dieser E-Mail-Adresse gibt es schon ein Konto.
fault-password-short = Das Passwort braucht mindestens 8 Zeichen.
fault-password-long = Das Passwort darf höchstens 1.024 Bytes haben.
fault-password-common = Dieses Passwort gehört zu den häufigsten, die Angreifer zuerst probieren. Bitte wählen Sie ein anderes.
fault-password-wrong = Das aktuelle Passwort ist falsch.
fault-credentials = E-Mail-Adresse oder Passwort ist falsch.
fault-unverified = Bitte bestätigen Sie zuerst Ihre E-Mail-Adresse. Dafür haben wir Ihnen eine Nachricht geschickt.
fault-busy = Im Moment melden sich zu viele Personen an. Bitte versuchen Sie es gleich noch einmal.
fault-limited-minute = Zu viele Versuche. Bitte versuchen Sie es in einer Minute noch einmal.
fault-limited = Zu viele Versuche. Bitte versuchen Sie es in einer Viertelstunde noch einmal.
fault-limited-login = Zu viele Versuche. Bitte versuchen Sie es in einer Viertelstunde noch einmal, oder wählen Sie per E-Mail ein neues Passwort: Das geht sofort.
fault-challenge = Die Rechenaufgabe, die Ihr Browser lösen sollte, fehlte, kam zu spät oder wurde schon einmal verwendet. Bitte versuchen Sie es noch einmal.
fault-invitation = Diese Einladung ist ungültig, aufgebraucht oder für eine andere Adresse.
fault-registration-closed = Im Moment kann sich hier niemand registrieren.
fault-reset-token = Dieser Link gilt nicht mehr. Bitte fordern Sie einen neuen an.
fault-registration-password = Bitte geben Sie das Passwort ein, das Sie für dieses Konto gewählt haben.
fault-registration-password-wrong = Das ist nicht das Passwort, das bei der Registrierung gewählt wurde. Wenn Sie sich hier nicht registriert haben, hat jemand anders Ihre Adresse benutzt, und Sie müssen nichts tun.
fault-code = Bitte geben Sie die sechs Ziffern des Codes ein.
fault-proof = Dieser Link oder Code gilt nicht mehr.
fault-undo-token = Dieser Link gilt nicht mehr.
fault-picture = Bitte wählen Sie ein Bild: JPEG, PNG, GIF oder WebP.
fault-picture-large = Das Bild ist zu groß. Höchstens 5 MB werden angenommen.
fault-picture-storage = Das Bild konnte nicht gespeichert werden. Bitte versuchen Sie es erneut.

## Seiten des Kontos

page-email = E-Mail-Adresse
page-email-or-username = E-Mail-Adresse oder Benutzername
page-email-hint = Nur Sie sehen sie. Wir schreiben dorthin, wenn mit Ihrem Konto etwas geschieht.
page-username = Benutzername
page-username-hint = Alle sehen diesen Namen. Bis zu 50 Zeichen.
page-password = Passwort
page-registration-password-hint = Das Passwort, das Sie für dieses Konto gewählt haben.
page-password-hint = Mindestens 8 Zeichen. Mehrere Wörter hintereinander sind gut.
page-current-password = Aktuelles Passwort
page-new-password = Neues Passwort
page-forgot = Passwort vergessen?
page-keep = Auf diesem Gerät angemeldet bleiben
page-keep-hint = Auf einem Gerät, das auch andere benutzen, nicht ankreuzen: Sie werden dann beim Schließen des Browsers abgemeldet.
page-no-account = Noch kein Konto?
page-have-account = Sie haben schon ein Konto?
page-unencrypted-title = Sie bleiben nicht angemeldet
page-unencrypted-text = Diese Seite wurde ohne Verschlüsselung geöffnet (http). Browser behalten dann keine Anmeldung, und andere im Netz können Ihr Passwort mitlesen. Öffnen Sie sie stattdessen mit https.
page-unencrypted-operator = Wenn Sie diese Seite betreiben: Setzen Sie TLS_CERT_FILE und TLS_KEY_FILE, oder stellen Sie einen Proxy davor, der TLS terminiert, und setzen Sie FRONTEND_URL auf die Adresse mit https.
page-create-account = Konto anlegen
page-invitation = Einladungscode
page-invitation-hint = Ohne ihn kann man sich hier nicht registrieren.
page-registration-closed = Im Moment kann sich hier niemand registrieren.
page-challenge-working = Einen Moment. Ihr Browser löst eine Rechenaufgabe, damit es für Programme teuer wird, dieses Formular oft abzuschicken.
page-challenge-script = Dieses Formular braucht JavaScript: Ihr Browser muss eine Rechenaufgabe lösen, damit es für Programme teuer wird, es oft abzuschicken.
page-forgot-title = Passwort vergessen?
page-forgot-intro = Geben Sie die E-Mail-Adresse Ihres Kontos ein, und wir schicken Ihnen einen Link, mit dem Sie ein neues Passwort wählen können.
page-forgot-send = Link senden
page-back-to-login = Zurück zur Anmeldung
page-reset-title = Neues Passwort wählen
page-reset-ends-sessions = Danach sind Sie überall abgemeldet.
page-reset-do = Neues Passwort setzen
page-link-incomplete = Der Link ist nicht vollständig. Bitte öffnen Sie ihn noch einmal aus der Nachricht, oder kopieren Sie die ganze Adresse.
page-ask-again = Neuen Link anfordern
page-verify-title = E-Mail-Adresse bestätigen
page-verify-press = Bestätigen Sie mit der Schaltfläche, dass unsere Nachrichten Sie erreichen.
page-verify-code-intro = Wir haben Ihnen eine Nachricht geschickt. Folgen Sie dem Link darin, oder geben Sie hier den Code ein.
page-verify-do = Bestätigen
page-code = Code
page-code-hint = Sechs Ziffern aus der Nachricht.
page-undo-title = Änderung der E-Mail-Adresse rückgängig machen
page-undo-intro = Ihr Konto bekommt seine frühere E-Mail-Adresse zurück. Alle werden abgemeldet, das Passwort wird ungültig, und wir schicken Ihnen eine Nachricht, mit der Sie ein neues wählen können.
page-undo-do = Änderung rückgängig machen
page-account = Ihr Konto
page-profile = Profil
page-picture = Bild
page-picture-now = Ihr aktuelles Bild
page-picture-choose = Bild wählen
page-picture-hint = JPEG, PNG, GIF oder WebP, höchstens 5 MB. Es wird quadratisch zugeschnitten.
page-picture-save = Dieses Bild verwenden
page-picture-remove = Bild entfernen
page-crop = So wird das Bild zugeschnitten
page-crop-hint = Verschieben Sie es durch Ziehen oder mit den Pfeiltasten.
page-crop-size = Größe
page-verified = bestätigt
page-unverified = noch nicht bestätigt
page-verify-pending = Wir haben an diese Adresse eine Nachricht geschickt, um sie zu bestätigen.
page-resend = Noch einmal senden
page-pending = { $address } wartet noch auf Bestätigung. Wir haben eine Nachricht dorthin geschickt.
page-new-email = Neue E-Mail-Adresse
page-new-email-hint = Wir schicken eine Nachricht dorthin. Sobald Sie sie bestätigen, melden Sie sich damit an, und alle anderen Geräte werden abgemeldet.
page-change-email = E-Mail-Adresse ändern
page-confirm-hint = Ihre Anmeldung ist schon eine Weile her. Das Passwort bestätigt, dass Sie es sind.
page-password-ends-sessions = Alle anderen Geräte werden dann abgemeldet.
page-change-password = Passwort ändern
page-sessions = Wo Sie angemeldet sind
page-sessions-intro = Wenn Sie etwas davon nicht kennen, beenden Sie es und ändern Sie Ihr Passwort.
page-this-session = hier
page-last-seen = Zuletzt benutzt am
page-unknown-device = Unbekanntes Gerät
page-device = { $browser } unter { $system }
page-end = Beenden
page-end-named = Sitzung auf { $device } beenden
page-end-others = Alle anderen beenden
page-delete-account = Konto löschen
page-delete-intro = Ihr Konto und alles, was dazugehört, werden sofort gelöscht. Das lässt sich nicht rückgängig machen.
page-delete-sure = Wollen Sie das Konto { $name } mit allem, was dazugehört, wirklich löschen? Das lässt sich nicht rückgängig machen.
page-delete-do = Endgültig löschen

## Beschreibungen der Seiten für Suchmaschinen und Vorschauen

page-about = Die Seiten von { $site }.
page-log-in-about = Melden Sie sich mit Ihrem Konto bei { $site } an.
page-register-about = Legen Sie ein Konto bei { $site } an.
page-account-about = Ihr Konto bei { $site }: Name, Bild, E-Mail-Adresse, Passwort und wo Sie angemeldet sind.
page-delete-about = Löschen Sie Ihr Konto bei { $site } mit allem, was dazugehört.
page-forgot-about = Fordern Sie einen Link an, mit dem Sie ein neues Passwort für Ihr Konto bei { $site } wählen.
page-reset-about = Wählen Sie ein neues Passwort für Ihr Konto bei { $site }.
page-verify-about = Bestätigen Sie Ihre E-Mail-Adresse für { $site } mit dem Link oder dem Code aus der Nachricht.
page-undo-about = Stellen Sie die frühere E-Mail-Adresse Ihres Kontos bei { $site } wieder her.

## Bestätigungen

done-registered = Willkommen! Ihr Konto ist bereit. Wir haben Ihnen eine Nachricht geschickt, um Ihre Adresse zu bestätigen.
done-registered-verified = Ihr Konto ist bereit. Sie können sich jetzt anmelden.
done-verification-sent = Wir haben Ihnen eine Nachricht geschickt. Folgen Sie ihrem Link, oder geben Sie ihren Code ein.
done-verified = Danke, Ihre E-Mail-Adresse ist bestätigt.
done-reset-sent = Wenn es zu dieser Adresse ein Konto gibt, erhalten Sie eine Nachricht, wie Sie das Passwort zurücksetzen.
done-password-reset = Das Passwort wurde zurückgesetzt. Sie können sich jetzt mit dem neuen anmelden.
done-password-changed = Ihr Passwort wurde geändert.
done-profile-saved = Ihr Profil wurde gespeichert.
done-email-proof-sent = Wir haben eine Nachricht an die neue Adresse geschickt. Sie gilt, sobald Sie sie bestätigen.
done-email-confirmed = Ihre E-Mail-Adresse wurde geändert.
done-email-undone = Ihr Konto hat wieder seine frühere E-Mail-Adresse. Wir haben Ihnen eine Nachricht geschickt, mit der Sie ein neues Passwort wählen können.
done-picture-saved = Ihr Bild wurde gespeichert.
done-picture-removed = Ihr Bild wurde entfernt.
done-session-ended = Die Sitzung wurde beendet.
done-others-ended = Alle anderen Sitzungen wurden beendet.
done-logged-out = Sie sind abgemeldet.
done-account-deleted = Ihr Konto wurde gelöscht.
