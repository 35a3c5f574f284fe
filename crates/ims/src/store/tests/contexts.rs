// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Context memory: effective at sync and not before, wholly or not at all.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use alloc::sync::Arc;

use super::bench::{Bench, message};
use crate::domain::Raised;
use crate::sink::Acceptance;
use crate::store::context::{ContextCommands, ContextMemory};
use crate::store::{Cookie, CookieUse, Pasid, Slots, Store, StoreError};

/// A device whose next command can be made to fail.
#[derive(Debug, Clone, Default)]
pub(super) struct Unreliable(Arc<AtomicBool>);

impl Unreliable {
    pub(super) fn fail_next(&self, fails: bool) {
        self.0.store(fails, SeqCst);
    }
}

impl ContextCommands for Unreliable {
    fn invalidate(&mut self, contexts: &[u32]) -> Result<(), StoreError> {
        assert!(contexts.is_sorted() && !contexts.is_empty());
        if self.0.swap(false, SeqCst) {
            Err(StoreError::Command)
        } else {
            Ok(())
        }
    }
}

fn contexts(lines: u32, limit: u32) -> (Bench<ContextMemory<Unreliable>>, Unreliable) {
    let commands = Unreliable::default();
    let cookies = CookieUse::Opaque;
    let store = ContextMemory::with_commands(lines, limit, cookies, commands.clone());
    (Bench::new(store), commands)
}

#[test]
fn what_is_recorded_is_not_effective_before_the_sync() {
    let (mut bench, _) = contexts(1, 4);
    bench.unmasked(0, message(1));
    bench.store.mask(0);
    bench.store.program(0, message(2));
    assert_eq!(bench.raise(0, 0, None), Raised::Sent(Acceptance::Fresh));
    assert_eq!(bench.taken(), [message(1)]);
    bench.sync().unwrap();
    assert_eq!(bench.raise(0, 0, None), Raised::Held);
    bench.unmask(0);
    assert!(bench.taken().is_empty());
    bench.sync().unwrap();
    assert_eq!(bench.taken(), [message(2)]);
}

#[test]
fn a_failed_command_changes_nothing_and_the_next_sync_makes_up_for_it() {
    let (mut bench, commands) = contexts(2, 4);
    bench.unmasked(0, message(1));
    bench.store.mask(0);
    bench.store.program(0, message(2));
    bench.unmask(0);
    commands.fail_next(true);
    assert_eq!(bench.sync(), Err(StoreError::Command));
    assert_eq!(bench.raise(0, 0, None), Raised::Sent(Acceptance::Fresh));
    assert_eq!(bench.taken(), [message(1)]);
    bench.sync().unwrap();
    assert_eq!(bench.raise(0, 0, None), Raised::Sent(Acceptance::Fresh));
    assert_eq!(bench.taken(), [message(2)]);
}

#[test]
fn a_reverted_change_is_not_made_by_a_later_sync() {
    let (mut bench, commands) = contexts(2, 4);
    bench.unmasked(0, message(1));
    bench.clear(0);
    commands.fail_next(true);
    assert_eq!(bench.sync(), Err(StoreError::Command));
    bench.store.revert();
    bench.unmasked(1, message(9));
    assert_eq!(bench.raise(0, 0, None), Raised::Sent(Acceptance::Fresh));
    assert_eq!(bench.taken(), [message(1)]);
}

#[test]
fn the_cookie_is_in_the_image_while_the_interrupt_is() {
    let (mut bench, _) = contexts(2, 4);
    assert_eq!(bench.store.owner(2), None);
    bench
        .store
        .prepare(2, Cookie(0xdead_beef_0000_0001))
        .unwrap();
    assert_eq!(bench.store.owner(2), Some(Cookie(0)));
    bench.sync().unwrap();
    assert_eq!(bench.store.owner(2), Some(Cookie(0xdead_beef_0000_0001)));
    bench.clear(2);
    bench.sync().unwrap();
    assert_eq!(bench.store.owner(2), Some(Cookie(0)));
}

#[test]
fn a_context_prepared_anew_between_two_syncs_has_nothing_of_its_former_owner() {
    let store = ContextMemory::new(1, 4, CookieUse::Pasid);
    let mut bench = Bench::new(store);
    bench.store.prepare(0, Cookie(5)).unwrap();
    bench.port.open(0);
    bench.sync().unwrap();
    assert_eq!(bench.raise(0, 0, Some(5)), Raised::Held);
    bench.clear(0);
    bench.store.release(0);
    bench.store.prepare(0, Cookie(6)).unwrap();
    bench.store.program(0, message(3));
    bench.unmask(0);
    bench.sync().unwrap();
    assert!(bench.taken().is_empty(), "the former owner's raise");
    assert_eq!(bench.port.counts(0).unwrap().dropped, 1);
    assert_eq!(bench.store.owner(0), Some(Cookie(6)));
    let contents = bench.port.slots().fetch(0, 0).unwrap();
    assert!(contents.admits(Pasid::new(6)) && !contents.admits(Pasid::new(5)));
}

#[test]
fn contexts_that_share_lines_are_each_fetched_as_they_were_synced_last() {
    for lines in [1, 2, 7] {
        let (mut bench, _) = contexts(lines, 100);
        for index in 0..100 {
            bench.unmasked(index, message(index));
        }
        for round in 1..=3u32 {
            // Every second context changes; the others' copies may stay.
            for index in (0..100).step_by(2) {
                bench.store.mask(index);
                bench.store.program(index, message(index + 1000 * round));
                bench.unmask(index);
            }
            bench.sync().unwrap();
            for index in (0..100).chain((0..100).rev()) {
                let number = index + if index % 2 == 0 { 1000 * round } else { 0 };
                let fetched = bench.port.slots().fetch(index, 0).unwrap();
                assert_eq!(fetched.message, message(number), "{lines} lines");
            }
        }
    }
}

#[test]
fn a_context_beyond_the_limit_is_refused_and_nothing_is_recorded() {
    let (mut bench, commands) = contexts(1, 4);
    let refused = StoreError::OutOfRange { index: 4, limit: 4 };
    assert_eq!(bench.store.prepare(4, Cookie(0)), Err(refused));
    // Nothing recorded: the sync needs no command.
    commands.fail_next(true);
    bench.sync().unwrap();
}
