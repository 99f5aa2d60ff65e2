//! The measurements, by groups.

mod access;
mod cold;
mod flood;
mod h2load;
mod many;
mod misses;
mod pairs;
mod revocation;

use tokio::time::timeout;

use crate::{Fallible, plan::Plan, report::Report};

/// Measures every selected group, each for at most the time in the plan.
pub(crate) async fn all(plan: &Plan, report: &mut Report) -> Fallible<()> {
    timeout(plan.longest, pairs::rows(plan, report)).await??;
    if plan.has("access") {
        timeout(plan.longest, access::rows(plan, report)).await??;
    }
    if plan.has("million") {
        timeout(plan.longest, many::rows(plan, report)).await??;
    }
    if plan.has("misses") {
        timeout(plan.longest, misses::rows(report)).await??;
    }
    if plan.has("revocation") {
        timeout(plan.longest, revocation::rows(plan, report)).await??;
    }
    if plan.has("flood") {
        timeout(plan.longest, flood::rows(plan, report)).await??;
    }
    // Last, so that the databases' later clean-up disturbs no other group.
    if plan.has("stored") {
        timeout(plan.longest, cold::rows(plan, report)).await??;
    }
    Ok(())
}
