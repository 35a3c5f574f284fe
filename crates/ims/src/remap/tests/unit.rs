// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The unit against the specification, and what only the unit does.

use super::parts::{Bank, Cpus};
use super::specification::{Outcome, Specification};
use crate::message::{Message, RequesterId};
use crate::remap::*;
use crate::sink::{Acceptance, Answer, MessageSink, Refusal};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const DESCRIPTORS: u32 = 4;
/// Entries in memory; a unit may believe in up to sixteen.
const ENTRIES: u32 = 8;

/// Garbage, and entries that come further and further.
fn raw_entry() -> impl Strategy<Value = u128> {
    // Bits with a place in both forms: FPD, AVAIL, vector, SQ, SVT 0..2, few SIDs.
    let common = (0u128..32, any::<u8>(), 0u128..12, 0u128..4, any::<bool>());
    let common = common.prop_map(|(low, vector, sq_svt, sid, urgent)| {
        let fpd_and_available = (low & 1) << 1 | (low >> 1) << 8;
        let urgent = if urgent { 1 << 14 } else { 0 };
        (
            1 | fpd_and_available | u128::from(vector) << 16,
            sq_svt << 80 | (sid * 0x102) << 64,
            urgent,
        )
    });
    let target = prop_oneof![
        (0u128..6).prop_map(|n| (true, n << 38)),
        (any::<u8>(), any::<u8>())
            .prop_map(|(id, low)| { (false, u128::from(id) << 40 | u128::from(low & 0xfc)) }),
        any::<u32>().prop_map(|id| (false, u128::from(id) << 32)),
    ];
    let good = (common, target).prop_map(|((low, source, urgent), (posted, target))| {
        low | source | target | if posted { 1 << 15 | urgent } else { 0 }
    });
    let flipped = (good.clone(), 0u32..128).prop_map(|(entry, bit)| entry ^ 1 << bit);
    prop_oneof![6 => good, 2 => flipped, 1 => any::<u128>(), 1 => Just(0u128), 1 => Just(2u128)]
}

fn message() -> impl Strategy<Value = Message> {
    let data = prop_oneof![3 => 0u32..12, 1 => any::<u32>(), 1 => 0u32..0x1_0000];
    let address = prop_oneof![
        // Remappable, a handle that may exist, SHV or not.
        8 => (0u64..18, any::<bool>())
            .prop_map(|(handle, shv)| 0xfee0_0010 | handle << 5 | u64::from(shv) << 3),
        2 => (0u64..0x10_0000).prop_map(|low| 0xfee0_0000 | low),
        1 => any::<u64>(),
        1 => any::<u64>().prop_map(|high| high << 32 | 0xfee0_0010),
    ];
    (address, data).prop_map(|(address, data)| Message { address, data })
}

fn modes() -> impl Strategy<Value = Modes> {
    let on = |likely: f64| proptest::bool::weighted(likely);
    (
        on(0.9),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        on(0.2),
        0u8..4,
    )
        .prop_map(
            |(remapping, extended, compatibility, required, extended_required, size)| {
                Modes::new()
                    .with_remapping(remapping)
                    .with_extended(extended)
                    .with_compatibility(compatibility)
                    .with_remapping_required(required)
                    .with_extended_required(extended_required)
                    .with_size(size)
            },
        )
}

/// Memory that claims to grow to sixteen entries but holds only eight: what
/// lies between cannot be fetched.
struct Short<M>(M);

impl<M: EntryMemory> EntryMemory for Short<M> {
    fn read(&self, handle: u32) -> Option<u128> {
        (handle < ENTRIES).then(|| self.0.read(handle))?
    }
    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        self.0.write(handle, entry)
    }
    fn grow(&self, count: u32) -> Result<u32, TableError> {
        self.0.grow(count)
    }
    fn limit(&self) -> u32 {
        16
    }
}

/// Writes `table`, sends every message, and compares each answer, delivery,
/// pending bit, fault and count with the specification.
fn follows_the_specification<M: EntryMemory>(
    memory: M,
    modes: Modes,
    table: &[u128],
    messages: &[(u16, Message)],
) {
    memory.grow(ENTRIES).unwrap();
    let mut kept = vec![0u128; ENTRIES as usize];
    for (handle, entry) in table.iter().enumerate() {
        // A pair table takes no descriptor beyond 4 GiB: nothing is written then.
        if memory.write(handle as u32, *entry).is_ok() {
            kept[handle] = *entry;
        }
    }
    let specification = Specification {
        ire: modes.remapping(),
        eime: modes.extended(),
        cfis: modes.compatibility(),
        ire_required: modes.remapping_required(),
        eime_required: modes.extended_required(),
        entries: 1 << (modes.size() + 1),
        table: &kept,
        descriptors: u128::from(DESCRIPTORS),
    };
    let control = Control::new(Short(memory), modes, 255, NoInvalidate).unwrap();
    let (cpus, bank) = (Cpus::default(), Bank::new(DESCRIPTORS));
    let unit = control.unit(&cpus, &bank);
    let mut pending = BTreeSet::new();
    let mut notified = BTreeSet::new();
    let mut counted = [0u64; 12];
    for &(requester, message) in messages {
        assert!(unit.ready(RequesterId(requester), message));
        let answer = unit.send(RequesterId(requester), message);
        let delivered = cpus.take();
        match specification.translate(requester, message.address, message.data) {
            Outcome::Cpu {
                id,
                logical,
                hint,
                vector,
                mode,
            } => {
                assert_eq!(answer, Answer::Accepted(Acceptance::HandedOver));
                let [(to, at, how)] = delivered[..] else {
                    panic!("{delivered:?}")
                };
                assert_eq!(
                    (u128::from(to.id), to.logical, to.redirection_hint),
                    (id, logical, hint)
                );
                assert_eq!((u128::from(at), how as u128), (vector, mode));
            }
            Outcome::Post {
                address, vector, ..
            } => {
                let fresh = pending.insert((address, vector));
                let how = if fresh {
                    Acceptance::Fresh
                } else {
                    Acceptance::Coalesced
                };
                assert_eq!(answer, Answer::Accepted(how));
                // Nobody harvests: a descriptor notifies once.
                let told: Vec<u32> = delivered.iter().map(|(to, ..)| to.id).collect();
                let first = notified.insert(address);
                assert_eq!(
                    told,
                    if first {
                        vec![(address / 64) as u32]
                    } else {
                        vec![]
                    }
                );
            }
            Outcome::Fault {
                reason,
                index,
                recorded,
            } => {
                let expected = FaultReason::from_code(reason).unwrap();
                assert_eq!(answer, Answer::Refused(Refusal::Fault(expected)));
                counted[usize::from(reason - 0x20)] += 1;
                let fault = Fault {
                    reason: expected,
                    requester: RequesterId(requester),
                    index: index as u16,
                };
                assert_eq!(unit.faults().take(), recorded.then_some(fault));
                assert_eq!(delivered, []);
            }
            Outcome::Malformed => assert_eq!(answer, Answer::Refused(Refusal::Malformed)),
            Outcome::Mode => assert_eq!(answer, Answer::Refused(Refusal::Mode)),
        }
        assert_eq!(unit.faults().take(), None);
    }
    for (address, vector) in &pending {
        assert!(bank.0[(address / 64) as usize].is_pending(*vector as u8));
    }
    let posted: u32 = bank
        .0
        .iter()
        .map(|descriptor| descriptor.harvest().len())
        .sum();
    assert_eq!(posted as usize, pending.len());
    let counts = unit.faults().counts();
    assert_eq!(FaultReason::ALL.map(|reason| counts.of(reason)), counted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_unit_over_pairs_follows_the_specification(
        modes in modes(),
        table in vec(raw_entry(), ENTRIES as usize),
        messages in vec((0u16..0x110, message()), 1..60),
    ) {
        let messages: Vec<_> = messages.into_iter().map(|(id, m)| (id * 2, m)).collect();
        follows_the_specification(PairTable::new(ENTRIES), modes, &table, &messages);
    }

    #[test]
    fn a_unit_over_whole_entries_follows_the_specification(
        modes in modes(),
        table in vec(raw_entry(), ENTRIES as usize),
        messages in vec((0u16..0x310, message()), 1..60),
    ) {
        let memory = WholeTable::boxed(ENTRIES).unwrap();
        follows_the_specification(memory, modes, &table, &messages);
    }
}

const OWNER: RequesterId = RequesterId(0x1a00);
const FIRST: Message = Message {
    address: 0xfee0_0010,
    data: 0,
};

fn bound<'a>(
    cpus: &'a Cpus,
    bank: &'a Bank,
    target: Target,
) -> Unit<PairTable, &'a Cpus, &'a Bank> {
    let mut control = Control::new(PairTable::new(16), Modes::x2apic(16), 0, NoInvalidate).unwrap();
    let handle = control.allocate().unwrap();
    assert_eq!(handle, 0);
    control
        .bind(handle, Source::exactly(OWNER), target)
        .unwrap();
    control.unit(cpus, bank)
}

fn to_cpu(id: u32) -> Target {
    Target::Remapped {
        destination: crate::message::Destination {
            id,
            logical: false,
            redirection_hint: false,
        },
        vector: 0x41,
        delivery: crate::message::DeliveryMode::Fixed,
        trigger_level: false,
    }
}

#[test]
fn a_busy_cpu_makes_its_sender_wait_and_nobody_elses() {
    let (cpus, bank) = (Cpus::default(), Bank::new(1));
    let unit = bound(&cpus, &bank, to_cpu(3));
    cpus.busy.store(true, Ordering::Relaxed);
    assert_eq!(unit.send(OWNER, FIRST), Answer::Busy);
    assert!(!unit.ready(OWNER, FIRST));
    // A stranger's would be refused: it must come and be refused.
    assert!(unit.ready(RequesterId(1), FIRST));
    assert_eq!(unit.faults().counts().total(), 0);
    cpus.busy.store(false, Ordering::Relaxed);
    assert!(unit.ready(OWNER, FIRST));
    assert_eq!(
        unit.send(OWNER, FIRST),
        Answer::Accepted(Acceptance::HandedOver)
    );
}

#[test]
fn a_post_is_accepted_though_its_notification_is_not_taken_and_that_is_counted() {
    let (cpus, bank) = (Cpus::default(), Bank::new(1));
    let unit = bound(
        &cpus,
        &bank,
        Target::Posted {
            descriptor: 0,
            vector: 0x41,
            urgent: false,
        },
    );
    let clone = unit.clone();
    cpus.busy.store(true, Ordering::Relaxed);
    assert!(unit.ready(OWNER, FIRST));
    assert_eq!(unit.send(OWNER, FIRST), Answer::Accepted(Acceptance::Fresh));
    assert!(bank.0[0].is_pending(0x41));
    assert_eq!(clone.notifications_not_taken(), 1);
}

#[test]
fn an_urgent_post_notifies_a_suppressed_descriptor_and_another_does_not() {
    for urgent in [false, true] {
        let (cpus, bank) = (Cpus::default(), Bank::new(1));
        bank.0[0].suppress();
        let unit = bound(
            &cpus,
            &bank,
            Target::Posted {
                descriptor: 0,
                vector: 0x41,
                urgent,
            },
        );
        assert_eq!(unit.send(OWNER, FIRST), Answer::Accepted(Acceptance::Fresh));
        let told: Vec<u8> = cpus
            .take()
            .into_iter()
            .map(|(_, vector, _)| vector)
            .collect();
        assert_eq!(told, if urgent { vec![0xf2] } else { vec![] });
    }
}

#[test]
fn many_senders_and_a_mover_never_meet_a_fault_or_a_third_target() {
    let (cpus, bank) = (Arc::new(Cpus::default()), Arc::new(Bank::new(2)));
    let mut control = Control::new(PairTable::new(16), Modes::x2apic(16), 0, NoInvalidate).unwrap();
    let handle = control.allocate().unwrap();
    let target = |at: u64| Target::Posted {
        descriptor: at * 64,
        vector: if at == 0 { 0x40 } else { 0x41 },
        urgent: false,
    };
    control
        .bind(handle, Source::exactly(OWNER), target(0))
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let unit = control.unit(cpus.clone(), bank.clone());
            scope.spawn(move || {
                for _ in 0..20_000 {
                    assert!(matches!(unit.send(OWNER, FIRST), Answer::Accepted(_)));
                }
            });
        }
        for round in 0..20_000 {
            control.retarget(handle, target(round % 2)).unwrap();
        }
    });
    assert!(bank.0[0].harvest().all(|vector| vector == 0x40));
    assert!(bank.0[1].harvest().all(|vector| vector == 0x41));
    assert_eq!(control.faults().counts().total(), 0);
}
