//! What is measured, group by group.

mod cold;
mod flood;
mod h2load;
mod many;
mod misses;
mod pairs;
mod revocation;

use crate::{Fallible, plan::Plan, report::Report};

/// Measures every group that is asked for.
pub(crate) async fn all(plan: &Plan, report: &mut Report) -> Fallible<()> {
    pairs::rows(plan, report).await?;
    if plan.has("million") {
        many::rows(plan, report).await?;
    }
    if plan.has("misses") {
        misses::rows(report).await?;
    }
    if plan.has("stored") {
        cold::rows(plan, report).await?;
    }
    if plan.has("revocation") {
        revocation::rows(plan, report).await?;
    }
    if plan.has("flood") {
        flood::rows(plan, report).await?;
    }
    Ok(())
}
