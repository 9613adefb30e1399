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
mail-code-hint = Oder geben Sie dort, wo Sie danach gefragt werden, diesen Code ein:
mail-footer = Diese Nachricht wurde automatisch von { $site } ({ $url }) verschickt. Antworten werden nicht gelesen.
mail-expiry-link = Der Link läuft in { $lifetime } ab und funktioniert einmal.
mail-expiry-link-and-code = Link und Code laufen in { $lifetime } ab und funktionieren einmal.

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
