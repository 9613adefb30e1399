# The texts of Countersign in English. Every other language may leave some out; they are then taken from here.

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

## Every mail

mail-greeting = Hello { $username },
mail-link-hint = If the button does not work, copy this address into your browser:
mail-code-hint = Or enter this code where you are asked for it:
mail-footer = This message was sent automatically by { $site } ({ $url }). Replies are not read.
mail-expiry-link = This link expires in { $lifetime } and works once.
mail-expiry-link-and-code = The link and the code expire in { $lifetime } and work once.

## Mails

mail-verify-email-subject = Confirm your e-mail address - { $site }
mail-verify-email-intro = Please confirm that this is your e-mail address, so that { $site } can reach you.
mail-verify-email-button = Confirm e-mail address
mail-verify-email-ignore = If you have no account at { $site }, ignore this message. Without a confirmation your address is not used.

mail-complete-registration-subject = Complete your registration - { $site }
mail-complete-registration-intro = Only one step is missing: confirm your e-mail address, and your account at { $site } is ready.
mail-complete-registration-button = Complete registration
mail-complete-registration-ignore = If you did not register at { $site }, ignore this message. No account is created without this step.

mail-already-registered-subject = You already have an account - { $site }
mail-already-registered-intro = Somebody, probably you, tried to register at { $site } with this e-mail address. You already have an account, so nothing was changed.
mail-already-registered-button = Log in
mail-already-registered-reset = If you have forgotten your password, choose a new one here:
mail-already-registered-ignore = If this was not you, you need not do anything. Whoever tried was not told that you have an account.

mail-reset-password-subject = Reset Your Password - { $site }
mail-reset-password-intro = Somebody, hopefully you, asked to reset the password of your account at { $site }. Choose a new one with this link:
mail-reset-password-button = Choose a new password
mail-reset-password-ignore = If you did not ask for this, ignore this message. Your password stays as it is.

mail-confirm-email-change-subject = Confirm your new e-mail address - { $site }
mail-confirm-email-change-intro = You asked to use this e-mail address for your account at { $site }. It is used as soon as you confirm it.
mail-confirm-email-change-button = Confirm new address
mail-confirm-email-change-ignore = If you did not ask for this, ignore this message. Nothing is changed.

mail-email-changed-subject = Your e-mail address was changed - { $site }
mail-email-changed-intro = The e-mail address of your account at { $site } was changed to { $address }. Mail about the account no longer comes here.
mail-email-changed-undo = If this was not you, undo the change. The link works for { $lifetime }.
mail-email-changed-button = Undo the change

mail-new-sign-in-subject = New login to your account - { $site }
mail-new-sign-in-intro = There was a login to your account at { $site } from a device that we had not seen before.
mail-new-sign-in-device = Device
mail-new-sign-in-address = IP address
mail-new-sign-in-time = Time
mail-new-sign-in-act = If this was you, you need not do anything. If it was not, end that session and change your password now.
mail-new-sign-in-button = Check your account

mail-password-changed-subject = Your password was changed - { $site }
mail-password-changed-intro = The password of your account at { $site } was changed on { $at }.
mail-password-changed-act = If this was you, you need not do anything. If it was not, choose a new password now.
mail-password-changed-button = Choose a new password

mail-refresh-token-reused-subject = A session was ended to protect your account - { $site }
mail-refresh-token-reused-intro = On { $at } a login to your account at { $site } was used in two places. Somebody may have copied it, so we ended that session.
mail-refresh-token-reused-act = Please log in again where you were logged out. If you cannot explain this, change your password too.
mail-refresh-token-reused-button = Check your account

mail-test-subject = Mail works - { $site }
mail-test-intro = This is the test that was sent on { $at }. { $site } can send mail.
