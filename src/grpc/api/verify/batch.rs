//! Several verifications in one call: each is decided by itself, and answers keep the order of the questions.

use std::{sync::Arc, time::Duration};

use domain::Invalid;
use futures_util::{StreamExt, stream};
use prost::Message;
use proto::{BatchVerifyRequest, VerifyError, VerifyRequest};

use crate::{
    grpc::wire::status,
    ports::{Credentials, Moment},
    verbs::{Error, FieldFault, Session, Verifier},
};

use super::{EncodedDecision, EncodedItem, question};

const MOST: usize = 1000;

/// Bytes of the decisions in one response, well below the 4 MiB that clients accept, so that the largest possible number of
/// errors fits in too.
const LARGEST_DECISIONS: usize = 3 * 1024 * 1024;

/// How many requests are decided in one go.
const YIELD_EVERY: usize = 64;

/// How many reads of keys that are not cached one call has under way.
pub(super) const TOGETHER: usize = 64;

pub(super) type Verified = Result<EncodedDecision, VerifyError>;

pub(super) fn read(request: BatchVerifyRequest) -> Result<Vec<VerifyRequest>, Error> {
    if (1..=MOST).contains(&request.requests.len()) {
        return Ok(request.requests);
    }
    let why = Invalid::new(format!("must be 1 to {MOST}"));
    Err(Error::Invalid(vec![FieldFault::new("requests", &why)]))
}

pub(super) async fn verify<C: Credentials>(
    verifier: &Arc<Verifier<C>>,
    session: &Arc<Session>,
    requests: Vec<VerifyRequest>,
    patience: Duration,
) -> Vec<EncodedItem> {
    let mut results: Vec<_> = Vec::with_capacity(requests.len());
    let (mut reads, mut behind) = (Vec::new(), Vec::new());
    let mut highest = 0;
    let moment = verifier.moment();
    for (at, request) in requests.into_iter().enumerate() {
        // Requests may be expensive: other calls have their turn in between, and a batch that is given up ends here.
        if at % YIELD_EVERY == YIELD_EVERY - 1 {
            tokio::task::yield_now().await;
        }
        let min_revision = request.min_revision;
        // They all wait for their revisions together.
        match start(verifier, session, request, Duration::ZERO, moment) {
            Started::Done(verified) => results.push(verified),
            Started::Read(read) => {
                // Until the read is done.
                results.push(Ok(EncodedDecision::default()));
                highest = highest.max(min_revision);
                let list = if min_revision > 0 { &mut behind } else { &mut reads };
                list.push(async move { (at, read.await) });
            }
        }
    }
    if behind.is_empty() {
        settle(reads, &mut results).await;
    } else {
        tokio::join!(verifier.catch_up(highest, patience), settle(reads, &mut results));
        settle(behind, &mut results).await;
    }
    let mut bytes = 0;
    let result = |verified: Verified| {
        let verified = verified.and_then(|decision| {
            bytes += decision.encoded_len();
            if bytes <= LARGEST_DECISIONS { Ok(decision) } else { Err(status::too_many_bytes()) }
        });
        EncodedItem::from(verified)
    };
    results.into_iter().map(result).collect()
}

/// Puts what the reads bring in its place.
async fn settle(reads: Vec<impl Future<Output = (usize, Verified)>>, results: &mut [Verified]) {
    let mut reads = stream::iter(reads).buffer_unordered(TOGETHER);
    while let Some((at, verified)) = reads.next().await {
        results[at] = verified;
    }
}

/// A verification, done if the key is cached; else what is left of it, which begins with the read.
pub(super) enum Started<F> {
    Done(Verified),
    Read(F),
}

pub(super) fn start<C: Credentials>(
    verifier: &Arc<Verifier<C>>,
    session: &Arc<Session>,
    request: VerifyRequest,
    patience: Duration,
    moment: Moment,
) -> Started<impl Future<Output = Verified> + Send + use<C>> {
    let (request, view) = match question::read(request, patience) {
        Ok(request) => request,
        Err(error) => return Started::Done(Err(status::item(error))),
    };
    match verifier.verify_cached(session.projects(), request, moment) {
        Ok(decision) => Started::Done(Ok(EncodedDecision::new(decision, view))),
        Err(miss) => {
            let (verifier, session) = (verifier.clone(), session.clone());
            Started::Read(async move {
                let decision = verifier.verify_miss(session.projects(), miss).await;
                Ok(EncodedDecision::new(decision.map_err(status::item)?, view))
            })
        }
    }
}
