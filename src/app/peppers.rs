//! The peppers: loaded or generated, and checked against what stored secrets need.

use std::{path::Path, sync::Arc};

use domain::digest::Peppers;
use tracing::info;

use crate::{
    config::{Pepper, PepperSource, load_or_generate},
    ports::{PepperRecords, Random},
    verbs::Service,
};

use super::{StartError, error::Missing};

/// The configured peppers. One is generated only for a database that holds no secret.
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

/// Refuses a start without a pepper that stored secrets need, and with a pepper that differs from the one first used under its version.
pub(super) async fn check(service: &Service) -> Result<(), StartError> {
    check_missing(service).await?;
    let review = service.review_peppers().await?;
    for version in review.new {
        info!(
            pepper.version = version,
            "recorded the pepper of this version: a different one under the same version is refused from now on"
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

/// A new pepper would have the version of the lost one, so every API key would seem to be wrong.
async fn refuse_to_replace(file: &Path, store: &dyn PepperRecords) -> Result<(), StartError> {
    let usage = store.pepper_usage().await?;
    let secrets = usage.iter().map(|(_, secrets)| secrets).sum();
    // The loader reports a path that cannot be read.
    if secrets > 0 && file.try_exists().is_ok_and(|exists| !exists) {
        return Err(StartError::PepperFileLost { file: file.to_owned(), secrets });
    }
    Ok(())
}

fn keyed(peppers: &[Pepper]) -> Peppers {
    let newest_first = peppers.iter().map(|it| (it.version, it.secret.as_slice()));
    Peppers::new(newest_first).expect("the settings hold at least one pepper")
}
