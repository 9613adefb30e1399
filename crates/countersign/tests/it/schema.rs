use std::path::Path;

use countersign::MIGRATIONS;
use countersign_db::testing::schema::{assert_schemas_agree, assert_statements_are_portable};

#[tokio::test]
async fn every_statement_of_the_store_is_understood_by_both_databases() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    assert_statements_are_portable(&store, &[&MIGRATIONS]).await;
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let tables = assert_schemas_agree(&[&MIGRATIONS]).await;
    assert!(tables.iter().all(|table| table.starts_with("auth_")), "{tables:?}");
    assert!(tables.contains("auth_users") && tables.contains("auth_user_profiles"), "{tables:?}");
}
