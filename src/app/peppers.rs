//! The peppers: loaded or made, and checked against what the stored secrets need.

use std::{path::Path, sync::Arc};

use domain::digest::Peppers;
use tracing::info;

use crate::{
    config::{Pepper, PepperSource, load_or_generate},
    ports::{PepperRecords, Random},
    verbs::Service,
};

use super::{StartError, error::Missing};

/// The configured peppers. A fresh one is made only for a database that holds no secret.
pub(super) async fn load(
    source: &PepperSource,
    store: &dyn PepperRecords,
    random: &dyn Random,
) -> Result<Arc<Peppers>, StartError> {
    let generated;
    let peppers = match source {
        PepperSource::Given(peppers) => peppers,
        PepperSource::Generated { file } => {
            refuse_to_replace(file, store).await?;
            generated = load_or_generate(file, &mut |bytes| random.fill(bytes))?;
            &generated
        }
    };
    Ok(Arc::new(keyed(peppers)))
}

/// Refuses to start without a pepper that stored secrets need, and with one that is not what its version says.
pub(super) async fn check(service: &Service) -> Result<(), StartError> {
    check_missing(service).await?;
    let review = service.review_peppers().await?;
    for version in review.new {
        info!(
            pepper.version = version,
            "the pepper is known from now on: any other under this version is refused"
        );
    }
    if review.different.is_empty() { Ok(()) } else { Err(StartError::PeppersDiffer(review.different)) }
}

async fn check_missing(service: &Service) -> Result<(), StartError> {
    let usage = service.pepper_usage().await?;
    let missing: Vec<_> = usage
        .iter()
        .filter(|it| it.secrets > 0 && !it.configured)
        .map(|it| Missing { version: it.version, secrets: it.secrets })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(StartError::PeppersMissing(missing)) }
}

/// A new pepper would bear the version of the lost one, and every API key would seem to be wrong.
async fn refuse_to_replace(file: &Path, store: &dyn PepperRecords) -> Result<(), StartError> {
    let usage = store.pepper_usage().await?;
    let secrets = usage.iter().map(|(_, secrets)| secrets).sum();
    // A path that cannot be looked at is told by the loader.
    if secrets > 0 && file.try_exists().is_ok_and(|exists| !exists) {
        return Err(StartError::PepperFileLost { file: file.to_owned(), secrets });
    }
    Ok(())
}

fn keyed(peppers: &[Pepper]) -> Peppers {
    let newest_first = peppers.iter().map(|it| (it.version, it.secret.as_slice()));
    Peppers::new(newest_first).expect("the settings hold at least one pepper")
}
