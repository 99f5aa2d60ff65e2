//! The fingerprints of peppers: the first process to write one for a version decides.

use keystile::{ports::PepperRecords, store::SqlStore};
use testkit::database::Database;

pub(crate) async fn the_first_fingerprint_of_a_pepper_stays(database: &Database, store: &SqlStore) {
    assert_eq!(store.known_peppers().await.unwrap(), []);
    assert_eq!(store.make_pepper_known(2, &[2; 32]).await.unwrap(), [2; 32]);
    assert_eq!(store.make_pepper_known(2, &[9; 32]).await.unwrap(), [2; 32]);

    let other = database.open().await;
    let (here, there) =
        tokio::join!(store.make_pepper_known(1, &[5; 32]), other.make_pepper_known(1, &[6; 32]));
    let known = here.unwrap();
    assert_eq!(known, there.unwrap(), "both get the first fingerprint");
    let mut all = other.known_peppers().await.unwrap();
    all.sort_unstable();
    assert_eq!(all, [(1, known), (2, [2; 32])]);
    other.close().await;
}
