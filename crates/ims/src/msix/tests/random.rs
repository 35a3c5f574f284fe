// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any accesses, raises, snapshots and resets, on an MSI-X and on the model.

use std::sync::atomic::Ordering::SeqCst;
use std::vec::Vec;

use alloc::sync::Arc;
use proptest::prelude::*;

use super::bench::{Guest, Recorder, guest, pba, table};
use super::model::Model;
use crate::msix::MsixState;

#[derive(Debug, Clone)]
enum Op {
    WriteTable { offset: u64, bytes: Vec<u8> },
    Mask { vector: u64, masked: bool },
    WriteConfig { offset: u16, bytes: Vec<u8> },
    Control(u8),
    Raise(u16),
    Retry(u16),
    Busy(bool),
    Read { offset: u64, size: usize },
    Save,
    Restore { fresh: bool },
    Reset,
}

const MOST: u16 = 70;

fn op() -> impl Strategy<Value = Op> {
    let bytes = || prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 1..=16);
    // Few vectors are used, so that operations meet.
    let vector = || prop_oneof![4 => 0..4u16, 1 => 60..MOST + 2];
    let offset = || prop_oneof![4 => 0..80u64, 1 => 900..1200u64];
    prop_oneof![
        6 => (offset(), bytes()).prop_map(|(offset, bytes)| Op::WriteTable { offset, bytes }),
        6 => (vector(), any::<bool>())
            .prop_map(|(vector, masked)| Op::Mask { vector: vector.into(), masked }),
        2 => (0..14u16, bytes()).prop_map(|(offset, bytes)| Op::WriteConfig { offset, bytes }),
        4 => prop::sample::select(vec![0x80, 0x80, 0xc0, 0x40, 0]).prop_map(Op::Control),
        10 => vector().prop_map(Op::Raise),
        3 => vector().prop_map(Op::Retry),
        2 => prop::bool::weighted(0.4).prop_map(Op::Busy),
        4 => (0..1200u64, 0..32usize).prop_map(|(offset, size)| Op::Read { offset, size }),
        1 => Just(Op::Save),
        1 => any::<bool>().prop_map(|fresh| Op::Restore { fresh }),
        1 => Just(Op::Reset),
    ]
}

struct Pair {
    msix: Guest,
    sink: Arc<Recorder>,
    model: Model,
    saved: Option<(MsixState, Model)>,
}

impl Pair {
    fn new(vectors: u16) -> Self {
        let (msix, sink) = guest(vectors);
        Self {
            msix,
            sink,
            model: Model::new(vectors.into()),
            saved: None,
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::WriteTable { offset, bytes } => {
                self.msix.write_table(*offset, bytes);
                self.model.entries.write(*offset, bytes);
            }
            Op::Mask { vector, masked } => {
                let (at, control) = (vector * 16 + 12, u32::from(*masked).to_le_bytes());
                self.msix.write_table(at, &control);
                self.model.entries.write(at, &control);
            }
            Op::WriteConfig { offset, bytes } => {
                self.msix.write_config(*offset, bytes);
                self.model.write_config(*offset, bytes);
            }
            Op::Control(byte) => {
                self.msix.write_config(3, &[*byte]);
                self.model.write_config(3, &[*byte]);
            }
            Op::Raise(vector) => {
                let raised = self.msix.port().raise(*vector);
                assert_eq!(raised, self.model.entries.raise((*vector).into()));
            }
            Op::Retry(vector) => {
                self.msix.port().retry(*vector);
                self.model.entries.retry((*vector).into());
            }
            Op::Busy(busy) => {
                self.sink.busy.store(*busy, SeqCst);
                self.model.entries.busy = *busy;
            }
            Op::Read { offset, size } => self.read(*offset, *size),
            Op::Save => self.saved = Some((self.msix.save(), self.model.clone())),
            Op::Restore { fresh } => {
                let Some((state, saved)) = &self.saved else {
                    return;
                };
                if *fresh {
                    // The destination of a migration, with a sink of its own.
                    let other = Self::new(self.msix.config().vectors);
                    (self.msix, self.sink, self.model) = (other.msix, other.sink, other.model);
                }
                self.msix.restore(state).unwrap();
                self.model.restore(saved);
            }
            Op::Reset => {
                self.msix.reset();
                self.model.reset();
            }
        }
    }

    fn read(&self, offset: u64, size: usize) {
        let part = |whole: Vec<u8>| -> Vec<u8> {
            let bytes = whole.into_iter().chain(core::iter::repeat(0));
            bytes.skip(offset as usize).take(size).collect()
        };
        let mut into = vec![0xaa; size];
        self.msix.read_table(offset, &mut into);
        assert_eq!(into, part(self.model.entries.bytes.clone()));
        self.msix.read_pba(offset, &mut into);
        assert_eq!(into, part(self.model.pba()));
    }

    fn check(&mut self) {
        assert_eq!(table(&self.msix), self.model.entries.bytes);
        assert_eq!(pba(&self.msix), self.model.pba());
        assert_eq!(self.msix.enabled(), self.model.enabled);
        assert_eq!(self.msix.function_masked(), self.model.function_masked);
        let taken = core::mem::take(&mut self.model.entries.taken);
        assert_eq!(self.sink.taken(), taken);
        let port = self.msix.port();
        assert_eq!(port.strays(), self.model.entries.strays);
        for (vector, expected) in (0..).zip(&self.model.entries.counts) {
            let counts = port.counts(vector).unwrap();
            assert_eq!(counts, *expected, "vector {vector}");
            // What is pending has been taken by nobody yet.
            let at = usize::from(vector);
            let kept = u64::from(self.model.entries.pending[at]);
            assert!(
                counts.add_up(self.model.entries.fresh[at] + kept),
                "{counts:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn an_msix_does_as_the_model(
        vectors in prop::sample::select(vec![1, 3, 64, MOST]),
        ops in prop::collection::vec(op(), 1..300),
    ) {
        let mut pair = Pair::new(vectors);
        for op in &ops {
            pair.apply(op);
            pair.check();
        }
    }
}
