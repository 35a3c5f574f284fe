// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half against a model, over both tables.

use super::parts::Watched;
use crate::message::{DeliveryMode, Destination, RequesterId};
use crate::remap::*;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

const LIMIT: u32 = 8;

#[derive(Debug, Clone, Copy)]
enum Op {
    Allocate,
    Bind(u32, Source, Target),
    Retarget(u32, Target),
    Clear(u32),
    Release(u32),
    Hide(u32, bool),
    Invalidate(u32),
}

fn target() -> impl Strategy<Value = Target> {
    // Aligned or not, below 4 GiB or not.
    let address = prop_oneof![
        6 => (0u64..100).prop_map(|n| n * 64),
        1 => 0u64..1000,
        1 => (1u64..4).prop_map(|n| n << 32),
    ];
    prop_oneof![
        (any::<u32>(), any::<u8>()).prop_map(|(id, vector)| Target::Remapped {
            destination: Destination {
                id,
                logical: id & 1 == 1,
                redirection_hint: false
            },
            vector,
            delivery: DeliveryMode::Fixed,
            trigger_level: false,
        }),
        (address, any::<u8>(), any::<bool>()).prop_map(|(descriptor, vector, urgent)| {
            Target::Posted {
                descriptor,
                vector,
                urgent,
            }
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let handle = || 0..LIMIT + 1;
    let source = prop_oneof![
        4 => any::<u16>().prop_map(|id| Source::exactly(RequesterId(id))),
        1 => (0u8..4, 0u8..4).prop_map(|(start, end)| Source::BusRange { start, end }),
        1 => Just(Source::Any),
    ];
    prop_oneof![
        3 => Just(Op::Allocate),
        4 => (handle(), source, target()).prop_map(|(h, s, t)| Op::Bind(h, s, t)),
        4 => (handle(), target()).prop_map(|(h, t)| Op::Retarget(h, t)),
        3 => handle().prop_map(Op::Clear),
        3 => handle().prop_map(Op::Release),
        2 => (handle(), any::<bool>()).prop_map(|(h, fpd)| Op::Hide(h, fpd)),
        1 => handle().prop_map(Op::Invalidate),
    ]
}

/// An invalidation that fails when told to, and lists what it was asked.
#[derive(Default)]
struct Queue {
    fails: Cell<bool>,
    asked: RefCell<Vec<(u32, u32)>>,
}

impl Invalidate for &Queue {
    fn invalidate(&mut self, first: u32, count: u32) -> Result<(), InvalidateError> {
        self.asked.borrow_mut().push((first, count));
        if self.fails.get() {
            Err(InvalidateError::Timeout)
        } else {
            Ok(())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Slot {
    fpd: bool,
    bound: Option<(Source, Target)>,
}

/// The handles as one would keep them on paper.
#[derive(Default)]
struct Model {
    slots: BTreeMap<u32, Slot>,
    lingering: BTreeSet<u32>,
    /// Descriptor addresses have 32 bits.
    pairs: bool,
}

impl Model {
    fn slot(&self, handle: u32) -> Result<Slot, ControlError> {
        self.slots
            .get(&handle)
            .copied()
            .ok_or(ControlError::NotAllocated { handle })
    }

    fn absent(&self, handle: u32) -> Result<Slot, ControlError> {
        let slot = self.slot(handle)?;
        match (slot.bound.is_some(), self.lingering.contains(&handle)) {
            (true, _) => Err(ControlError::Present { handle }),
            (false, true) => Err(ControlError::Lingering { handle }),
            (false, false) => Ok(slot),
        }
    }

    fn bound(&self, handle: u32) -> Result<(Slot, Source), ControlError> {
        let slot = self.slot(handle)?;
        let (source, _) = slot.bound.ok_or(ControlError::NotPresent { handle })?;
        Ok((slot, source))
    }

    fn fits(&self, source: Source, target: Target) -> Result<(), ControlError> {
        if let Source::BusRange { start, end } = source
            && start > end
        {
            return Err(EntryError::EmptyBusRange { start, end }.into());
        }
        if let Target::Posted {
            descriptor: address,
            ..
        } = target
        {
            if address % 64 != 0 {
                return Err(EntryError::Unaligned { address }.into());
            }
            if self.pairs && address >= 1 << 32 {
                return Err(TableError::DescriptorTooHigh { address }.into());
            }
        }
        Ok(())
    }

    /// What is written, if anything, and then whether the handle is given back.
    fn plan(&self, op: Op) -> Result<(u32, Option<Slot>, bool), ControlError> {
        match op {
            Op::Allocate => {
                let free = (0..LIMIT).find(|handle| !self.slots.contains_key(handle));
                let handle = free.ok_or(TableError::Full { limit: LIMIT })?;
                Ok((handle, None, false))
            }
            Op::Bind(handle, source, target) => {
                let slot = self.absent(handle)?;
                self.fits(source, target)?;
                Ok((
                    handle,
                    Some(Slot {
                        bound: Some((source, target)),
                        ..slot
                    }),
                    false,
                ))
            }
            Op::Retarget(handle, target) => {
                let (slot, source) = self.bound(handle)?;
                self.fits(source, target)?;
                Ok((
                    handle,
                    Some(Slot {
                        bound: Some((source, target)),
                        ..slot
                    }),
                    false,
                ))
            }
            Op::Clear(handle) => {
                let (slot, _) = self.bound(handle)?;
                Ok((
                    handle,
                    Some(Slot {
                        bound: None,
                        ..slot
                    }),
                    false,
                ))
            }
            Op::Release(handle) => {
                let slot = self.absent(handle)?;
                Ok((handle, slot.fpd.then(Slot::default), true))
            }
            Op::Hide(handle, fpd) => Ok((
                handle,
                Some(Slot {
                    fpd,
                    ..self.slot(handle)?
                }),
                false,
            )),
            Op::Invalidate(handle) => {
                self.slot(handle)?;
                Ok((handle, None, false))
            }
        }
    }
}

fn behaves_like_the_model<M: EntryMemory>(memory: M, pairs: bool, ops: Vec<(Op, bool)>) {
    let (memory, queue) = (Watched::new(memory), Queue::default());
    let modes = Modes::x2apic(LIMIT);
    let mut control = Control::new(&memory, modes, 0, &queue).unwrap();
    let mut model = Model {
        pairs,
        ..Model::default()
    };
    for (op, fails) in ops {
        queue.fails.set(fails);
        let plan = model.plan(op);
        let result = match op {
            Op::Allocate => control.allocate().map(|handle| {
                assert_eq!(plan.map(|(lowest, ..)| lowest), Ok(handle));
            }),
            Op::Bind(handle, source, target) => control.bind(handle, source, target),
            Op::Retarget(handle, target) => control.retarget(handle, target),
            Op::Clear(handle) => control.clear(handle),
            Op::Release(handle) => control.release(handle),
            Op::Hide(handle, fpd) => control.set_fault_processing_disabled(handle, fpd),
            Op::Invalidate(handle) => control.invalidate(handle),
        };
        let (writes, asked) = (memory.take(), queue.asked.take());
        match plan {
            Err(error) => {
                assert_eq!(result, Err(error), "{op:?}");
                assert_eq!((writes.len(), asked.len()), (0, 0), "{op:?}");
            }
            Ok((handle, written, released)) => {
                let flushed = written.is_some() || matches!(op, Op::Invalidate(_));
                assert_eq!(asked, if flushed { vec![(handle, 1)] } else { vec![] });
                // Exactly one entry, or none, and no other's.
                let handles: Vec<u32> = writes.iter().map(|(handle, _)| *handle).collect();
                assert_eq!(
                    handles,
                    if written.is_some() {
                        vec![handle]
                    } else {
                        vec![]
                    }
                );
                let slot = written
                    .or(model.slots.get(&handle).copied())
                    .unwrap_or_default();
                model.slots.insert(handle, slot);
                if flushed && fails {
                    model.lingering.insert(handle);
                    assert_eq!(result, Err(InvalidateError::Timeout.into()));
                } else {
                    assert_eq!(result, Ok(()), "{op:?}");
                    if flushed {
                        model.lingering.remove(&handle);
                    }
                    if released {
                        model.slots.remove(&handle);
                    }
                }
            }
        }
        assert_eq!(control.allocated() as usize, model.slots.len());
        for handle in 0..=LIMIT {
            let seen = control.entry(handle).map(|irte| Slot {
                fpd: irte.fault_processing_disabled(),
                bound: irte
                    .decode(ApicMode::X2apic)
                    .unwrap()
                    .map(|e| (e.source, e.target)),
            });
            let expected = model.slot(handle);
            assert_eq!(seen, expected);
            // A free entry blocks, and says so in full.
            if handle < LIMIT && expected.is_err() {
                assert_eq!(memory.read(handle), Some(0));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn control_over_pairs_behaves_like_the_model(
        ops in proptest::collection::vec((op(), proptest::bool::weighted(0.1)), 1..400)
    ) {
        behaves_like_the_model(PairTable::new(LIMIT), true, ops);
    }

    #[test]
    fn control_over_whole_entries_behaves_like_the_model(
        ops in proptest::collection::vec((op(), proptest::bool::weighted(0.1)), 1..400)
    ) {
        behaves_like_the_model(WholeTable::boxed(LIMIT).unwrap(), false, ops);
    }
}

const POSTED: Target = Target::Posted {
    descriptor: 64,
    vector: 0x41,
    urgent: false,
};

#[test]
fn retargeting_writes_exactly_one_entry_and_only_its_lower_half() {
    let memory = Watched::new(PairTable::new(LIMIT));
    let mut control = Control::new(&memory, Modes::x2apic(LIMIT), 0, NoInvalidate).unwrap();
    for _ in 0..LIMIT {
        let handle = control.allocate().unwrap();
        control
            .bind(handle, Source::exactly(RequesterId(7)), POSTED)
            .unwrap();
    }
    let before: Vec<_> = (0..LIMIT)
        .map(|handle| memory.read(handle).unwrap())
        .collect();
    memory.take();
    let elsewhere = Target::Posted {
        descriptor: 128,
        vector: 0x42,
        urgent: true,
    };
    control.retarget(3, elsewhere).unwrap();
    let [(3, written)] = memory.take()[..] else {
        panic!("not one write of entry 3")
    };
    assert_eq!(written >> 64, before[3] >> 64);
    for (handle, old) in (0..LIMIT).zip(before) {
        let expected = if handle == 3 { written } else { old };
        assert_eq!(memory.read(handle), Some(expected));
    }
}

#[test]
fn the_largest_table_hands_out_each_handle_once_and_then_says_it_is_full() {
    let mut control = Control::new(
        PairTable::new(65_536),
        Modes::x2apic(65_536),
        0,
        NoInvalidate,
    )
    .unwrap();
    for handle in 0..65_536 {
        assert_eq!(control.allocate(), Ok(handle));
    }
    let full = TableError::Full { limit: 65_536 };
    assert_eq!(control.allocate(), Err(full.into()));
    control.release(40_000).unwrap();
    control.release(7).unwrap();
    assert_eq!(control.allocate(), Ok(7));
    assert_eq!(control.allocate(), Ok(40_000));
}

#[test]
fn modes_that_would_reinterpret_or_cut_off_entries_are_refused() {
    let memory = || PairTable::new(LIMIT);
    let modes = Modes::x2apic(LIMIT);
    let too_big = Control::new(memory(), Modes::x2apic(16), 0, NoInvalidate).map(|_| ());
    assert_eq!(too_big, Err(TableError::Full { limit: LIMIT }.into()));

    let mut control = Control::new(memory(), modes, 0, NoInvalidate).unwrap();
    let handles = [(); 3].map(|()| control.allocate().unwrap());
    assert_eq!(
        control.set_modes(modes.with_extended(false)),
        Err(ControlError::ModeInUse)
    );
    assert_eq!(
        control.set_modes(modes.with_entries(2)),
        Err(ControlError::TableInUse {
            entries: 2,
            needed: 3
        })
    );
    assert_eq!(control.modes(), modes);
    control
        .set_modes(modes.with_entries(4).with_remapping(false))
        .unwrap();
    for handle in handles {
        control.release(handle).unwrap();
    }
    control.set_modes(modes.with_extended(false)).unwrap();
    assert_eq!(control.modes().apic_mode(), ApicMode::Xapic);
}
