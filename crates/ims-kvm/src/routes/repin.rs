// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Others' routes change: a commit of its own, in which they come first.

use std::sync::Arc;

use kvm_bindings::kvm_irq_routing_entry;

use super::pins::Pinned;
use super::table::{Routed, Table};
use crate::error::CommitError;
use crate::lines::{Route, VmLine};
use crate::vm::Vm;

/// What came of it.
pub(crate) struct Repinned<V: Vm> {
    pub(crate) result: Result<(), CommitError>,
    /// Lines that are to be promoted: they have their routes again.
    pub(crate) standing: Vec<Arc<VmLine<V>>>,
    /// Lines that lost their routes, and want others.
    pub(crate) again: Vec<Arc<VmLine<V>>>,
}

impl<V: Vm> Table<V> {
    /// Replaces others' routes. A vector that has a GSI which is a pin's now, or for
    /// which there is no room beside them, is forwarded until it has another.
    pub(crate) fn set_pins(&mut self, routes: &[kvm_irq_routing_entry]) -> Repinned<V> {
        let pins = Pinned {
            below: self.pins.below,
            routes: routes.to_vec(),
        };
        let (before, after) = (self.pins.gsis(), pins.gsis());
        let mut evicted = Vec::new();
        for gsi in after.difference(&before) {
            self.evict(*gsi, &mut evicted);
        }
        let left = self.room.saturating_sub(routes.len());
        while self.routes.len() > left
            && let Some(highest) = self.routes.keys().next_back().copied()
            && self.evict(highest, &mut evicted)
        {}
        let old = std::mem::replace(&mut self.pins, pins);
        let result = self.push();
        if result.is_err() {
            self.pins = old;
            let standing = evicted.into_iter().map(|(routed, route)| {
                routed.line.set_route(route);
                let line = Arc::clone(&routed.line);
                self.routes.insert(route.gsi, routed);
                line
            });
            return Repinned {
                standing: standing.collect(),
                again: Vec::new(),
                result,
            };
        }
        let again = evicted.into_iter().map(|(routed, route)| {
            self.gsis.give_back(route.gsi);
            routed.line
        });
        let again = again.collect();
        for gsi in before.difference(&after) {
            self.gsis.give_back(*gsi);
        }
        for gsi in after.difference(&before) {
            // Above the limit that we keep to: KVM's to judge, and no vector's anyway.
            self.gsis.take_at(*gsi);
        }
        Repinned {
            result,
            standing: Vec::new(),
            again,
        }
    }

    /// Takes the route at `gsi` away from its line. False if KVM keeps the irqfd.
    fn evict(&mut self, gsi: u32, evicted: &mut Vec<(Routed<V>, Route)>) -> bool {
        let Some(route) = self
            .routes
            .get(&gsi)
            .and_then(|routed| routed.line.unroute())
        else {
            return false;
        };
        evicted.extend(self.routes.remove(&gsi).map(|routed| (routed, route)));
        true
    }
}
