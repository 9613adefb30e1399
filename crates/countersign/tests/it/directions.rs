//! Right-to-left and left-to-right usernames do not reorder the text around them.

use countersign::testing::{PASSWORD, TestApp};
use jiff::SignedDuration;

use crate::token_in_mail;

const ARABIC: &str = "عادل (1)";

#[tokio::test]
async fn a_name_from_right_to_left_stands_apart_from_its_sentence() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let fields = [("username", ARABIC), ("email", "adil@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.submit("/register", &fields).await.status, 303);
    app.clock.advance(SignedDuration::from_hours(1));
    let page = browser.open("/account/delete").await.text();
    assert!(page.contains(&format!("<bdi class=\"name\">{ARABIC}</bdi>")), "{page}");
    assert!(page.contains(&format!("the account \u{2068}{ARABIC}\u{2069} with everything")), "{page}");
    let page = browser.open("/account").await.text();
    assert!(page.contains("<bdi>adil@example.com</bdi>"), "{page}");
    for input in page.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let is_typed = input.contains("type=\"text\"") || input.contains("type=\"email\"");
        let is_seen = !input.contains("aria-hidden");
        assert!(!(is_typed && is_seen) || input.contains("dir=\"auto\""), "{input}");
    }
    app.run_jobs().await;
    let _ = token_in_mail(&app, "adil@example.com");
    let mails = app.mailbox().list();
    let mail = mails.iter().find(|mail| mail.text.contains(ARABIC)).unwrap();
    assert!(mail.html.contains(&format!("Hello \u{2068}{ARABIC}\u{2069},")), "{}", mail.html);
    assert!(mail.text.contains(&format!("Hello {ARABIC},")), "a plain text has no marks that nobody sees");
}

#[tokio::test]
async fn names_that_run_with_the_sentence_have_no_marks() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let fields = [("username", "Zoë 王"), ("email", "zoe@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.submit("/register", &fields).await.status, 303);
    let page = browser.open("/account/delete").await.text();
    assert!(page.contains("the account Zoë 王 with everything") && !page.contains('\u{2068}'), "{page}");
}
