// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any accesses, raises, snapshots and resets, on a store and on the model.

use std::sync::atomic::Ordering::SeqCst;
use std::vec::Vec;

use alloc::sync::Arc;
use proptest::prelude::*;

use super::bench::{Guest, Recorder, guest, slots};
use super::model::Model;
use crate::guest::StoreState;

#[derive(Debug, Clone)]
enum Op {
    Write { offset: u64, bytes: Vec<u8> },
    Mask { slot: u64, masked: bool },
    Enable(bool),
    Raise(u32),
    Retry(u32),
    Busy(bool),
    Read { offset: u64, size: usize },
    Save,
    Restore { fresh: bool },
    Reset,
}

/// More than two chunks.
const MOST: u32 = 150;

fn op() -> impl Strategy<Value = Op> {
    let bytes = || prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 1..=33);
    // Few slots are used, so that operations meet; some at the seam of chunks.
    let slot = || prop_oneof![4 => 0..4u32, 2 => 62..66u32, 1 => 140..MOST + 2];
    let offset = || prop_oneof![4 => 0..80u64, 2 => 990..1060u64, 1 => 2300..2500u64];
    prop_oneof![
        6 => (offset(), bytes()).prop_map(|(offset, bytes)| Op::Write { offset, bytes }),
        8 => (slot(), any::<bool>())
            .prop_map(|(slot, masked)| Op::Mask { slot: slot.into(), masked }),
        3 => prop::bool::weighted(0.7).prop_map(Op::Enable),
        10 => slot().prop_map(Op::Raise),
        3 => slot().prop_map(Op::Retry),
        2 => prop::bool::weighted(0.4).prop_map(Op::Busy),
        4 => (0..2500u64, 0..40usize).prop_map(|(offset, size)| Op::Read { offset, size }),
        1 => Just(Op::Save),
        1 => any::<bool>().prop_map(|fresh| Op::Restore { fresh }),
        1 => Just(Op::Reset),
    ]
}

struct Pair {
    store: Guest,
    sink: Arc<Recorder>,
    model: Model,
    saved: Option<(StoreState, Model)>,
}

impl Pair {
    fn new(count: u32) -> Self {
        let (store, sink) = guest(count);
        Self {
            store,
            sink,
            model: Model::new(count as usize),
            saved: None,
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { offset, bytes } => {
                self.store.write(*offset, bytes);
                self.model.write(*offset, bytes);
            }
            Op::Mask { slot, masked } => {
                let (at, control) = (slot * 16 + 12, u32::from(*masked).to_le_bytes());
                self.store.write(at, &control);
                self.model.write(at, &control);
            }
            Op::Enable(enabled) => {
                self.store.set_enabled(*enabled);
                self.model.set_enabled(*enabled);
            }
            Op::Raise(slot) => {
                let raised = self.store.port().raise(*slot);
                assert_eq!(raised, self.model.raise(*slot as usize));
            }
            Op::Retry(slot) => {
                self.store.port().retry(*slot);
                self.model.retry(*slot as usize);
            }
            Op::Busy(busy) => {
                self.sink.busy.store(*busy, SeqCst);
                self.model.busy = *busy;
            }
            Op::Read { offset, size } => {
                let mut into = vec![0xaa; *size];
                self.store.read(*offset, &mut into);
                let bytes = self.model.slots().into_iter();
                let expected = bytes.chain(core::iter::repeat(0)).skip(*offset as usize);
                assert!(into.into_iter().eq(expected.take(*size)));
            }
            Op::Save => self.saved = Some((self.store.save(), self.model.clone())),
            Op::Restore { fresh } => {
                let Some((state, saved)) = &self.saved else {
                    return;
                };
                if *fresh {
                    // The destination of a migration, with a sink of its own.
                    let other = Self::new(self.store.slots());
                    (self.store, self.sink, self.model) = (other.store, other.sink, other.model);
                }
                self.store.restore(state).unwrap();
                self.model.restore(saved);
            }
            Op::Reset => {
                self.store.reset();
                self.model.reset();
            }
        }
    }

    fn check(&mut self) {
        assert_eq!(slots(&self.store), self.model.slots());
        assert_eq!(self.store.enabled(), self.model.enabled);
        let taken = core::mem::take(&mut self.model.taken);
        assert_eq!(self.sink.taken(), taken);
        let port = self.store.port();
        assert_eq!(port.strays(), self.model.strays);
        for (slot, expected) in (0..).zip(&self.model.counts) {
            let counts = port.counts(slot).unwrap();
            assert_eq!(counts, *expected, "slot {slot}");
            // What is pending has been taken by nobody yet.
            let at = slot as usize;
            let kept = u64::from(self.model.pending[at]);
            assert!(counts.add_up(self.model.fresh[at] + kept), "{counts:?}");
            let view = self.store.slot(slot).unwrap();
            assert_eq!(view.pending, self.model.pending[at]);
            // One that was never touched is masked, whatever the store is.
            assert_eq!(view.sends, self.model.sends(at), "slot {slot}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_store_does_as_the_model(
        count in prop::sample::select(vec![1, 3, 64, 65, MOST]),
        ops in prop::collection::vec(op(), 1..250),
    ) {
        let mut pair = Pair::new(count);
        for op in &ops {
            pair.apply(op);
            pair.check();
        }
    }
}
