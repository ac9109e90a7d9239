//! Two operators let a cluster go on without data centres that are lost.
//!
//! A plan is begun when two operators with different certificates have approved exactly it within a quarter
//! of an hour. Approvals stand in the memory of one node, the plan's coordinator; if that forgets them, people
//! approve again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use raft::RecoveryPlan;

use super::Acts;
use crate::auth::Operator;
use crate::vault::VaultError;

/// For how long an approval counts.
const APPROVAL: Duration = Duration::from_secs(15 * 60);

/// What was asked for, and how far it has come.
pub(crate) struct Recovery {
    pub(crate) plan: RecoveryPlan,
    /// Who has approved it.
    pub(crate) approved_by: Vec<String>,
    pub(crate) begun: bool,
}

/// Who has approved which plan, and when.
#[derive(Default)]
pub(super) struct Approvals(Mutex<BTreeMap<[u8; 32], BTreeMap<String, Instant>>>);

impl Approvals {
    /// Notes one more, if there is one, and tells whose approvals of the plan count now, the earliest first.
    fn of(&self, plan: [u8; 32], by: Option<&str>, now: Instant) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |at: &Instant| now.saturating_duration_since(*at) < APPROVAL;
        all.retain(|_, approved| {
            approved.retain(|_, at| counts(at));
            !approved.is_empty()
        });
        if let Some(by) = by {
            all.entry(plan).or_default().insert(by.to_owned(), now);
        }
        let mut approved: Vec<_> = all.get(&plan).into_iter().flatten().collect();
        approved.sort_by_key(|(_, at)| **at);
        approved.into_iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Acts {
    /// Shows what going on with the data centres `surviving` alone would do; with the name of a plan, approves
    /// that one, and begins it if somebody else has approved it too.
    ///
    /// # Errors
    /// [`VaultError::Refused`] if the plan that holds now is another one, or none is possible.
    pub(crate) async fn recover(
        &self,
        operator: &Operator,
        surviving: &[String],
        approved: &[u8],
    ) -> Result<Recovery, VaultError> {
        if surviving.is_empty() {
            return Err(VaultError::Malformed("name the data centres that survive".to_owned()));
        }
        let node = self.inner.vault.node();
        let plan = node.plan_recovery(surviving).await?;
        if approved.is_empty() {
            let approved_by = self.approvals.of(plan.id, None, Instant::now());
            return Ok(Recovery { plan, approved_by, begun: false });
        }
        if approved != plan.id.as_slice() {
            return Err(VaultError::Refused(
                "what would be done is not what you approve: look at the plan again, and approve that"
                    .to_owned(),
            ));
        }
        if node.identity().place.map(|place| place.node) != Some(plan.driver.id) {
            return Err(VaultError::Refused(format!(
                "{} keeps the approvals: approve at {}",
                plan.driver.name, plan.driver.endpoint
            )));
        }
        tracing::warn!(operator = operator.name(), "an operator approves a recovery");
        let approved_by = self.approvals.of(plan.id, Some(operator.name()), Instant::now());
        let [first, second, ..] = approved_by.as_slice() else {
            return Ok(Recovery { plan, approved_by, begun: false });
        };
        let named = |name: &str| format!("spiffe://{}/operator/{name}", self.inner.trust_domain);
        let operators = [named(first), named(second)];
        let plan = node.recover(surviving, plan.id, operators).await?;
        Ok(Recovery { plan, approved_by, begun: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_counts_once_for_one_plan_and_not_for_ever() {
        let (approvals, begun) = (Approvals::default(), Instant::now());
        let at = |minutes: u64| begun + Duration::from_secs(minutes * 60);
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(approvals.of(one, Some("ann"), at(0)), ["ann"]);
        assert_eq!(approvals.of(one, Some("ann"), at(1)), ["ann"], "the same person twice is one");
        assert_eq!(
            approvals.of(other, Some("ben"), at(2)),
            ["ben"],
            "another plan is another matter"
        );
        assert_eq!(approvals.of(one, None, at(3)), ["ann"]);
        assert_eq!(approvals.of(one, Some("cat"), at(15)), ["ann", "cat"]);
        assert_eq!(approvals.of(one, None, at(16)), ["cat"], "the first has lapsed");
        assert!(approvals.of(other, None, at(60)).is_empty());
    }
}
