# English texts of Countersign. A text that another language omits is shown in English.

## Times

duration-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
duration-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
duration-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
moment = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year } at { $time } UTC

## All mails

mail-greeting = Hello { $username },
mail-link-hint = If the button does not work, copy this address into your browser:
mail-code-hint = Or enter this code when asked for it:
mail-footer = This message was sent automatically by { $site } ({ $url }). Replies are not read.
mail-expiry-link = This link expires in { $lifetime } and can be used only once.
mail-expiry-link-and-code = The link and the code expire in { $lifetime } and can be used only once.

## Mails

mail-verify-email-subject = Confirm your e-mail address - { $site }
mail-verify-email-intro = Please confirm that this is your e-mail address, so that { $site } can reach you.
mail-verify-email-button = Confirm e-mail address
mail-verify-email-ignore = If you have no account at { $site }, ignore this message. Your address is not used unless it is confirmed.

mail-complete-registration-subject = Complete your registration - { $site }
mail-complete-registration-intro = Only one step is left: confirm your e-mail address, and your account at { $site } is ready.
mail-complete-registration-button = Complete registration
mail-complete-registration-ignore = If you did not register at { $site }, ignore this message. No account is created without this step.

mail-already-registered-subject = You already have an account - { $site }
mail-already-registered-intro = Someone, probably you, tried to register at { $site } with this e-mail address. You already have an account, so nothing was changed.
mail-already-registered-button = Log in
mail-already-registered-reset = If you have forgotten your password, choose a new one here:
mail-already-registered-ignore = If this was not you, you do not need to do anything. The person who tried was not told that you have an account.

mail-reset-password-subject = Reset Your Password - { $site }
mail-reset-password-intro = Someone, hopefully you, asked to reset the password of your account at { $site }. Use this link to choose a new one:
mail-reset-password-button = Choose a new password
mail-reset-password-ignore = If you did not ask for this, ignore this message. Your password stays as it is.

mail-confirm-email-change-subject = Confirm your new e-mail address - { $site }
mail-confirm-email-change-intro = You asked to use this e-mail address for your account at { $site }. The change takes effect once you confirm it.
mail-confirm-email-change-button = Confirm new address
mail-confirm-email-change-ignore = If you did not ask for this, ignore this message. Nothing will change.

mail-email-changed-subject = Your e-mail address was changed - { $site }
mail-email-changed-intro = The e-mail address of your account at { $site } was changed to { $address }. Mail about the account is no longer sent to this address.
mail-email-changed-undo = If this was not you, undo the change. The link works for { $lifetime }.
mail-email-changed-button = Undo the change

mail-new-sign-in-subject = New login to your account - { $site }
mail-new-sign-in-intro = There was a login to your account at { $site } from a device that we had not seen before.
mail-new-sign-in-device = Device
mail-new-sign-in-address = IP address
mail-new-sign-in-time = Time
mail-new-sign-in-act = If this was you, you do not need to do anything. If it was not, end that session and change your password now.
mail-new-sign-in-button = Check your account

mail-password-changed-subject = Your password was changed - { $site }
mail-password-changed-intro = The password of your account at { $site } was changed on { $at }.
mail-password-changed-act = If this was you, you do not need to do anything. If it was not, choose a new password now.
mail-password-changed-button = Choose a new password

mail-refresh-token-reused-subject = A session was ended to protect your account - { $site }
mail-refresh-token-reused-intro = On { $at } the same login to your account at { $site } was used in two places. Someone may have copied it, so we ended that session.
mail-refresh-token-reused-act = Please log in again where you were logged out. If you cannot explain this, change your password too.
mail-refresh-token-reused-button = Check your account

mail-test-subject = Mail works - { $site }
mail-test-intro = This is a test message, sent on { $at }. { $site } can send mail.

## All pages

language-name = English
date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
page-skip = Skip to content
page-navigation = Site
page-home = Go to the home page
page-theme-auto = Automatic
page-theme-light = Light
page-theme-dark = Dark
page-log-in = Log in
page-log-out = Log out
page-register = Register
page-cancel = Cancel
page-save = Save
page-show = Show
page-hide = Hide
page-problems = That did not work yet
page-strength-1 = Easy to guess
page-strength-2 = Acceptable; longer is better
page-strength-3 = Hard to guess

## Error pages

problem-title = Something went wrong
problem-text = An error occurred. Please check your request and try again.
problem-invalid-title = Invalid request
problem-invalid-text = Invalid request. Please check your input and try again.
problem-not-found-title = Page not found
problem-cross-site-title = Request from another site
problem-busy-title = Too busy at the moment
problem-login-title = Please log in

## Form fields

fault-missing = Please fill in this field.
fault-invalid = This value is not accepted: it is given twice or contains invisible characters.
fault-email = Please enter an e-mail address, such as ada@example.com.
fault-username-blank = The username needs at least one visible character.
fault-username-long = The username may have at most 50 characters.
fault-username-unprintable = The username may not contain control or invisible characters.
fault-username-marks = Each letter of the username may have at most four marks above or below it.
fault-username-at = The username may not contain an @, so that it is not mistaken for an e-mail address.
fault-username-taken = This username is already taken.
fault-email-taken = An account with this e-mail address already exists.
fault-password-short = The password needs at least 8 characters.
fault-password-long = The password may have at most 1,024 bytes.
fault-password-common = This password is among the most common ones, which attackers try first. Please choose another.
fault-password-wrong = The current password is incorrect.
fault-credentials = Incorrect email or password.
fault-unverified = Please confirm your e-mail address first. We have sent you an e-mail for that.
fault-busy = Too many people are logging in at the moment. Please try again in a second.
fault-limited-minute = Too many attempts. Please try again in a minute.
fault-limited = Too many attempts. Please try again in 15 minutes.
fault-limited-login = Too many attempts. Please try again in 15 minutes, or reset your password by e-mail, which works immediately.
fault-challenge = The calculation that your browser had to do was missing, too late or used before. Please try again.
fault-invitation = This invitation is invalid, used up, or for another address.
fault-registration-closed = Registration is closed at the moment.
fault-reset-token = This link is no longer valid. Please request a new one.
fault-registration-password = Please enter the password that you chose for this account.
fault-registration-password-wrong = This is not the password chosen at registration. If you did not register here, someone else used your address, and you do not need to do anything.
fault-code = Please enter the six-digit code.
fault-proof = This link or code is no longer valid.
fault-undo-token = This link is no longer valid.
fault-picture = Please choose a picture: JPEG, PNG, GIF or WebP.
fault-picture-large = The picture is too large. The maximum is 5 MB.
fault-picture-storage = The picture could not be stored. Please try again.

## Account pages

page-email = E-mail address
page-email-or-username = E-mail address or username
page-email-hint = Only you can see it. We write to it when something happens to your account.
page-username = Username
page-username-hint = Everyone can see this name. Up to 50 characters.
page-password = Password
page-registration-password-hint = The password that you chose for this account.
page-password-hint = At least 8 characters. Several words in a row work well.
page-current-password = Current password
page-new-password = New password
page-forgot = Forgot your password?
page-keep = Keep me logged in on this device
page-keep-hint = Leave this unticked on a shared device: you are then logged out when the browser closes.
page-no-account = No account yet?
page-have-account = Already have an account?
page-unencrypted-title = You will not stay logged in
page-unencrypted-text = This site was opened without encryption (http). Browsers do not keep a login over http, and others on the network can read your password. Open it over https instead.
page-unencrypted-operator = If you run this site: set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy that terminates TLS in front, and set FRONTEND_URL to the https address.
page-create-account = Create account
page-invitation = Invitation code
page-invitation-hint = You need one to register here.
page-registration-closed = Registration is closed at the moment.
page-challenge-working = Just a moment. Your browser is doing a calculation that makes it expensive for programs to send this form many times.
page-challenge-script = This form needs JavaScript: your browser has to do a calculation that makes it expensive for programs to send it many times.
page-forgot-title = Forgot your password?
page-forgot-intro = Enter the e-mail address of your account, and we will send you a link to choose a new password.
page-forgot-send = Send link
page-back-to-login = Back to login
page-reset-title = Choose a new password
page-reset-ends-sessions = This logs you out everywhere.
page-reset-do = Set new password
page-link-incomplete = The link is incomplete. Please open it again from the e-mail, or copy the whole address.
page-ask-again = Request a new link
page-verify-title = Confirm your e‑mail address
page-verify-press = Press the button to confirm that our e-mails reach you.
page-verify-code-intro = We have sent you an e-mail. Follow its link, or enter the code from it here.
page-verify-do = Confirm
page-code = Code
page-code-hint = Six digits from the e-mail.
page-undo-title = Undo the change of your e-mail address
page-undo-intro = Your account gets its previous e-mail address back. All sessions end, the password stops working, and we send you an e-mail with a link to choose a new one.
page-undo-do = Undo the change
page-account = Your account
page-profile = Profile
page-picture = Picture
page-picture-now = Your current picture
page-picture-choose = Choose a picture
page-picture-hint = JPEG, PNG, GIF or WebP, at most 5 MB. It is cropped to a square.
page-picture-save = Use this picture
page-picture-remove = Remove picture
page-crop = How the picture will be cropped
page-crop-hint = Drag it or use the arrow keys to move it.
page-crop-size = Size
page-verified = confirmed
page-unverified = not confirmed yet
page-verify-pending = We have sent an e-mail to this address to confirm it.
page-resend = Send it again
page-pending = { $address } is not confirmed yet. We have sent an e-mail to it.
page-new-email = New e-mail address
page-new-email-hint = We send an e-mail to it. Once you confirm the address, you log in with it, and all other devices are logged out.
page-change-email = Change e-mail address
page-confirm-hint = You logged in a while ago. Enter your password to confirm that it is you.
page-password-ends-sessions = This logs out all other devices.
page-change-password = Change password
page-sessions = Where you are logged in
page-sessions-intro = If you do not recognise one of these, end it and change your password.
page-this-session = this one
page-last-seen = Last used on
page-unknown-device = Unknown device
page-device = { $browser } on { $system }
page-end = End
page-end-named = End the session on { $device }
page-end-others = End all others
page-delete-account = Delete account
page-delete-intro = Your account and everything that belongs to it are deleted at once. This cannot be undone.
page-delete-sure = Do you really want to delete the account { $name } with everything that belongs to it? This cannot be undone.
page-delete-do = Delete for good

## Page descriptions for search engines and previews

page-about = The pages of { $site }.
page-log-in-about = Log in to your account at { $site }.
page-register-about = Create an account at { $site }.
page-account-about = Your account at { $site }: name, picture, e-mail address, password, and where you are logged in.
page-delete-about = Delete your account at { $site } with everything that belongs to it.
page-forgot-about = Request a link to choose a new password for your account at { $site }.
page-reset-about = Choose a new password for your account at { $site }.
page-verify-about = Confirm your e-mail address for { $site } with the link or the code from the e-mail.
page-undo-about = Restore the previous e-mail address of your account at { $site }.

## Confirmations

done-registered = Welcome! Your account is ready. We have sent you an e-mail to confirm your address.
done-registered-verified = Your account is ready. You can log in now.
done-verification-sent = We have sent you an e-mail. Follow its link or enter its code.
done-verified = Thank you, your e-mail address is confirmed.
done-reset-sent = If an account exists with this email, you will receive password reset instructions.
done-password-reset = Password reset successfully. You can now log in with your new password.
done-password-changed = Your password has been changed.
done-profile-saved = Your profile has been saved.
done-email-proof-sent = We have sent an e-mail to the new address. The change takes effect once you confirm it.
done-email-confirmed = Your e-mail address has been changed.
done-email-undone = Your account has its previous e-mail address again. We have sent you an e-mail with a link to choose a new password.
done-picture-saved = Your picture has been saved.
done-picture-removed = Your picture has been removed.
done-session-ended = The session has been ended.
done-others-ended = All other sessions have been ended.
done-logged-out = You are logged out.
done-account-deleted = Your account has been deleted.
