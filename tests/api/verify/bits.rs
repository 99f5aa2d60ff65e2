//! Every bit of a stored digest is compared.

use proto::{Code, Key};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use testkit::server::Server;

use crate::calls::verify;

#[tokio::test]
async fn a_digest_that_differs_in_one_bit_does_not_match() {
    let server = Server::start().await;
    server.project("acme").await;
    let owner = server.account("acme", "ci", "CI").await;
    let mut requests = Vec::new();
    // One key for each bit, and one that stays unchanged.
    for bit in 0..=256 {
        let key = Key { display_name: bit.to_string(), service_account: owner.clone(), ..Default::default() };
        requests.push(verify(&server.key("acme", key).await.1));
    }
    let raw = server.database.raw().await;
    for bit in 0..256 {
        flip(&raw, bit).await;
    }
    raw.close().await.unwrap();

    for (bit, answer) in server.batch(requests).await.unwrap().into_iter().enumerate() {
        let expected = if bit == 256 { Code::Valid } else { Code::NotFound };
        assert_eq!(answer.unwrap().code(), expected, "bit {bit}");
    }
}

/// Flips a bit of the digest of the key whose name is the number of the bit.
async fn flip(raw: &DatabaseConnection, bit: usize) {
    let of_key = format!("key_id = (SELECT id FROM keys WHERE display_name = '{bit}')");
    let select =
        Statement::from_string(DbBackend::Sqlite, format!("SELECT digest FROM secrets WHERE {of_key}"));
    let row = raw.query_one_raw(select).await.unwrap().unwrap();
    let mut digest: Vec<u8> = row.try_get("", "digest").unwrap();
    digest[bit / 8] ^= 1 << (bit % 8);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    raw.execute_unprepared(&format!("UPDATE secrets SET digest = X'{hex}' WHERE {of_key}")).await.unwrap();
}
