// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Thousands of operations in any order that a domain may use, on each store and
//! on the model.

use std::collections::BTreeSet;
use std::vec::Vec;

use proptest::prelude::*;

use super::bench::{Bench, message};
use super::contexts::Unreliable;
use super::model::{Model, Owned};
use crate::store::context::ContextMemory;
use crate::store::engines::{Engines, Spread};
use crate::store::layout::{IGNORE, MASK, PASID_ENABLE, PASID_SHIFT, PENDING};
use crate::store::table::Table;
use crate::store::{Contents, Cookie, CookieUse, Slots, Store, StoreError};

/// How many slots are used; some stores have fewer cache lines or engines.
const SLOTS: u32 = 10;

#[derive(Debug, Clone)]
enum Op {
    Prepare {
        index: u32,
        pasid: u32,
    },
    Program {
        index: u32,
        number: u32,
    },
    Mask {
        index: u32,
    },
    Unmask {
        index: u32,
    },
    Clear {
        index: u32,
    },
    Raise {
        index: u32,
        engine: u32,
        right: bool,
    },
    Busy(bool),
    Sync {
        fails: bool,
    },
    Revert,
}

fn op() -> impl Strategy<Value = Op> {
    let index = 0..SLOTS;
    prop_oneof![
        2 => (index.clone(), 0u32..1 << 20).prop_map(|(index, pasid)| Op::Prepare { index, pasid }),
        3 => (index.clone(), any::<u32>()).prop_map(|(index, number)| Op::Program { index, number }),
        2 => index.clone().prop_map(|index| Op::Mask { index }),
        3 => index.clone().prop_map(|index| Op::Unmask { index }),
        1 => index.clone().prop_map(|index| Op::Clear { index }),
        9 => (0..SLOTS + 1, 0u32..4, prop::bool::weighted(0.9))
            .prop_map(|(index, engine, right)| Op::Raise { index, engine, right }),
        1 => any::<bool>().prop_map(Op::Busy),
        4 => prop::bool::weighted(0.2).prop_map(|fails| Op::Sync { fails }),
        1 => Just(Op::Revert),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..400)
}

/// A store and the model side by side.
struct Pair<S: Store> {
    bench: Bench<S>,
    model: Model,
    /// Slots changed since the last sync.
    touched: BTreeSet<u32>,
    /// Has the next sync fail; `None` where syncs cannot.
    fail: Option<Unreliable>,
}

impl<S: Store> Pair<S> {
    fn new(store: S, fail: Option<Unreliable>) -> Self {
        let copies = store.slots().copies();
        Self {
            bench: Bench::new(store),
            model: Model::new(SLOTS, copies, fail.is_some()),
            touched: BTreeSet::new(),
            fail,
        }
    }

    fn recorded(&self, index: u32) -> Option<Owned> {
        self.model.slots[index as usize].recorded
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Prepare { index, pasid } => {
                if self.recorded(index).is_some() {
                    return;
                }
                self.bench
                    .store
                    .prepare(index, Cookie(pasid.into()))
                    .unwrap();
                let owned = Owned {
                    pasid,
                    message: message(0),
                    masked: true,
                };
                let message = crate::message::Message::default();
                self.change(index, Some(Owned { message, ..owned }), true);
            }
            Op::Program { index, number } => {
                // A slot must be quiet to be written: masked, where it works at once.
                let Some(owned) = self.recorded(index).filter(|owned| owned.masked) else {
                    return;
                };
                let message = message(number);
                self.bench.store.program(index, message);
                self.change(index, Some(Owned { message, ..owned }), false);
            }
            Op::Mask { index } => {
                if let Some(owned) = self.recorded(index) {
                    self.bench.store.mask(index);
                    let masked = true;
                    self.change(index, Some(Owned { masked, ..owned }), false);
                }
            }
            Op::Unmask { index } => {
                if let Some(owned) = self.recorded(index) {
                    self.bench.unmask(index);
                    let masked = false;
                    self.change(index, Some(Owned { masked, ..owned }), false);
                }
            }
            Op::Clear { index } => {
                if self.recorded(index).is_some() {
                    self.bench.clear(index);
                    self.change(index, None, false);
                    self.bench.store.release(index);
                }
            }
            Op::Raise {
                index,
                engine,
                right,
            } => self.raise(index, engine, right),
            Op::Busy(busy) => {
                self.bench.set_busy(busy);
                self.model.set_busy(busy);
            }
            Op::Sync { fails } => self.sync(fails),
            Op::Revert => {
                self.bench.store.revert();
                if self.fail.is_some() {
                    self.model.revert();
                    self.touched.clear();
                }
            }
        }
        if self.fail.is_none() {
            self.bench.sync().unwrap();
            self.open_or_close();
        }
    }

    fn change(&mut self, index: u32, contents: Option<Owned>, fresh: bool) {
        self.touched.insert(index);
        self.model.record(index, contents, fresh);
    }

    fn raise(&mut self, index: u32, engine: u32, right: bool) {
        let copies = self.bench.port.slots().copies();
        let (engine, copy) = if copies == 1 {
            (engine, 0)
        } else {
            (engine % copies, (engine % copies) as usize)
        };
        let owner = self
            .model
            .slots
            .get(index as usize)
            .and_then(|slot| slot.held);
        let submitter = owner.map(|owned| if right { owned.pasid } else { owned.pasid ^ 1 });
        let raised = self.bench.raise(index, engine, submitter);
        assert_eq!(raised, self.model.raise(index, copy, submitter));
    }

    fn sync(&mut self, fails: bool) {
        let Some(unreliable) = &self.fail else { return };
        unreliable.fail_next(fails && !self.touched.is_empty());
        let synced = self.bench.sync();
        if fails && !self.touched.is_empty() {
            assert_eq!(synced, Err(StoreError::Command));
            return;
        }
        synced.unwrap();
        let touched = core::mem::take(&mut self.touched);
        self.model.sync(|index| touched.contains(&index));
        self.open_or_close();
    }

    /// As a domain does when an allocation or a free has become effective.
    fn open_or_close(&mut self) {
        for (index, slot) in (0..).zip(&mut self.model.slots) {
            let live = self.bench.port.counts(index).is_some();
            match slot.held {
                Some(_) if !live => self.bench.port.open(index),
                None if live => {
                    self.bench.port.close(index);
                    let counts = self.bench.port.take_counts(index);
                    let taken = self.model.delivered.remove(&index).unwrap_or(0);
                    let accounted = taken + counts.coalesced + counts.refused + counts.dropped;
                    assert_eq!(counts.raised, accounted, "slot {index}: {counts:?}");
                    slot.counts = Default::default();
                }
                _ => {}
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.bench.port.strays(), self.model.strays);
        for (index, slot) in (0..).zip(&self.model.slots) {
            for (copy, &pending) in (0..).zip(&slot.pending) {
                let fetched = self.bench.port.slots().fetch(index, copy);
                let stored = self
                    .bench
                    .port
                    .slots()
                    .slot(index, copy)
                    .map(|slot| slot.load());
                let Some(owned) = slot.held else {
                    // Never reached by the store, or given back and wiped.
                    let wiped = stored.unwrap_or(NOBODYS);
                    assert_eq!(wiped, NOBODYS, "slot {index}");
                    assert!(fetched.is_none_or(|contents| !contents.sends()));
                    continue;
                };
                let control = PASID_ENABLE | owned.pasid << PASID_SHIFT;
                let mask = if owned.masked { MASK } else { 0 };
                let kept = if pending { PENDING } else { 0 };
                let expected = Contents {
                    message: owned.message,
                    control: control | mask | kept,
                };
                assert_eq!(stored, Some(expected), "slot {index} copy {copy}");
                let fetched = fetched.unwrap();
                assert_eq!(fetched.sends(), !owned.masked, "slot {index} fetched stale");
                assert_eq!(fetched.message, owned.message, "slot {index} fetched stale");
            }
            let counts = self.bench.port.counts(index);
            assert_eq!(counts, slot.held.map(|_| slot.counts), "slot {index}");
        }
    }

    fn run(mut self, ops: &[Op]) {
        for op in ops {
            self.apply(op);
            self.check();
            let taken = core::mem::take(&mut self.model.taken);
            assert_eq!(self.bench.taken(), taken, "after {op:?}");
        }
    }
}

/// What a slot holds that is nobody's.
const NOBODYS: Contents = Contents {
    message: crate::message::Message {
        address: 0,
        data: 0,
    },
    control: MASK | IGNORE,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_table_does_as_the_model(ops in ops()) {
        Pair::new(Table::new(SLOTS, CookieUse::Pasid), None).run(&ops);
    }

    #[test]
    fn engines_do_as_the_model(ops in ops(), engines in 2u32..5, replicated: bool) {
        let spread = if replicated { Spread::Replicated } else { Spread::Distributed };
        Pair::new(Engines::new(engines, SLOTS, spread, CookieUse::Pasid), None).run(&ops);
    }

    #[test]
    fn context_memory_does_as_the_model(
        ops in ops(),
        lines in prop::sample::select(vec![1u32, 2, 7, 64]),
    ) {
        let commands = Unreliable::default();
        let store =
            ContextMemory::with_commands(lines, SLOTS, CookieUse::Pasid, commands.clone());
        Pair::new(store, Some(commands)).run(&ops);
    }
}
