//! A backup of the embedded database, made as the README says while the server runs.

use std::fs;

use proto::Code;
use sea_orm::ConnectionTrait;

use crate::home::Home;

#[tokio::test]
async fn a_backup_made_while_the_server_runs_can_be_restored() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await;
    let (_, before) = caller.create_key("Before").await;
    let backup = home.data().join("keystile-backup.db");
    let url = format!("sqlite://{}", home.data().join("keystile.db").display());
    let client = sea_orm::Database::connect(url).await.unwrap();
    client.execute_unprepared(&format!("VACUUM INTO '{}'", backup.display())).await.unwrap();
    client.close().await.unwrap();
    let (_, since) = caller.create_key("Since").await;
    let head = caller.whole_log().await;
    serving.stop().await;

    for gone in ["keystile.db", "keystile.db-wal", "keystile.db-shm"] {
        // After a clean stop the latter two do not exist.
        let _ = fs::remove_file(home.data().join(gone));
    }
    fs::rename(&backup, home.data().join("keystile.db")).unwrap();
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    assert_eq!(caller.code(&before).await, Code::Valid);
    assert_eq!(caller.code(&since).await, Code::NotFound);
    // A key and its implicit account.
    assert_eq!(caller.whole_log().await, head - 2);
    serving.stop().await;
}
