// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What guests on KVM counted, held against what was sent to them.

use ims::store::Store;

use super::Verdict;
use crate::run::report::GuestCounts;

impl<S: Store> Verdict<'_, S> {
    /// What guest code counted must be what was sent, and what was taken.
    pub(super) fn hold_guests_against_what_was_sent(&mut self) -> Vec<GuestCounts> {
        let mut all = Vec::new();
        for (vm, guest) in self.world.vms.iter().zip(&self.world.guests) {
            let (counts, wrong) = guest.accounts();
            let named = |wrong| format!("VM {}: {wrong}", vm.number);
            self.fail(wrong.into_iter().map(named).collect());
            all.push(counts);
        }
        let counted: u64 = all.iter().map(|counts| counts.counted).sum();
        if !all.is_empty() && counted != self.total.taken {
            let taken = self.total.taken;
            self.failures.push(format!(
                "guests counted {counted} interrupts, handlers {taken}"
            ));
        }
        all
    }
}
