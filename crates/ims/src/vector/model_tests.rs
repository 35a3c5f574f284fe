// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The matrix against the plain model: every result and every state the same.

// Helpers of tests are tests, which the lints do not see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::model::Model;
use super::{Affinity, CpuId, CpuSet, Matrix, MatrixError};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Online(CpuId),
    Offline(CpuId),
    AddCpu,
    AssignSystem(u8, Option<CpuId>),
    Assign(CpuId, u8),
    ReserveManaged(CpuSet),
    RemoveManaged(CpuSet),
    AllocManaged(CpuSet),
    Reserve,
    RemoveReserved,
    AllocAny(bool),
    AllocCpu(CpuId, bool),
    AllocSet(CpuSet, bool),
    /// Frees the nth allocation, as of its kind or the other.
    FreeNth(usize, bool),
    Free(CpuId, u8, bool),
}

fn op(cpus: u32) -> impl Strategy<Value = Op> {
    let cpu = move || (0..cpus + 2).prop_map(CpuId);
    let vector = || prop_oneof![3 => 0x20u8..0x34, 1 => any::<u8>()];
    let some = move || {
        proptest::collection::btree_set(cpu(), 0..6).prop_map(|set| set.into_iter().collect())
    };
    let set = move || {
        prop_oneof![
            3 => some(),
            1 => (0..cpus, 0..cpus + 2).prop_map(|(a, b)| CpuSet::from(a.min(b)..a.max(b))),
            1 => Just(CpuSet::from(0..cpus + 2)),
        ]
    };
    // One CPU of a mask to be held on must exist, or most would fail.
    let held = move || (0..cpus, 1u32..4).prop_map(|(at, len)| CpuSet::from(at..at + len));
    prop_oneof![
        8 => cpu().prop_map(Op::Online),
        3 => cpu().prop_map(Op::Offline),
        1 => Just(Op::AddCpu),
        1 => (vector(), proptest::option::of(cpu())).prop_map(|(v, c)| Op::AssignSystem(v, c)),
        2 => (cpu(), vector()).prop_map(|(c, v)| Op::Assign(c, v)),
        6 => held().prop_map(Op::ReserveManaged),
        4 => held().prop_map(Op::RemoveManaged),
        8 => set().prop_map(Op::AllocManaged),
        3 => Just(Op::Reserve),
        1 => Just(Op::RemoveReserved),
        12 => any::<bool>().prop_map(Op::AllocAny),
        6 => (cpu(), any::<bool>()).prop_map(|(c, r)| Op::AllocCpu(c, r)),
        12 => (set(), any::<bool>()).prop_map(|(s, r)| Op::AllocSet(s, r)),
        10 => (any::<usize>(), proptest::bool::weighted(0.9)).prop_map(|(n, k)| Op::FreeNth(n, k)),
        2 => (cpu(), vector(), any::<bool>()).prop_map(|(c, v, m)| Op::Free(c, v, m)),
    ]
}

/// What both must answer: a CPU and vector where there is one.
type Answer = Result<Option<(CpuId, u8)>, MatrixError>;

struct Pair {
    matrix: Matrix,
    model: Model,
    /// What is allocated, and whether it is managed.
    allocated: Vec<(CpuId, u8, bool)>,
}

impl Pair {
    fn apply(&mut self, op: &Op) -> (Answer, Answer) {
        let Self {
            matrix,
            model,
            allocated,
        } = self;
        let both = |a: Result<(), MatrixError>, b: Result<(), MatrixError>| {
            (a.map(|()| None), b.map(|()| None))
        };
        let pick = |a: Result<_, _>, b: Result<_, _>| (a.map(Some), b.map(Some));
        match op {
            Op::Online(cpu) => both(matrix.online(*cpu), model.online(*cpu)),
            Op::Offline(cpu) => both(matrix.offline(*cpu), model.offline(*cpu)),
            Op::AddCpu => {
                model.add_cpu();
                let last = CpuId(u32::try_from(model.cpus.len()).unwrap() - 1);
                (
                    matrix.add_cpu().map(|cpu| Some((cpu, 0))),
                    Ok(Some((last, 0))),
                )
            }
            Op::AssignSystem(vector, replace) => {
                let answers = both(
                    matrix.assign_system(*vector, *replace),
                    model.assign_system(*vector, *replace),
                );
                if answers.0.is_ok() {
                    allocated.retain(|(_, other, _)| other != vector);
                }
                answers
            }
            Op::Assign(cpu, vector) => {
                let answers = both(matrix.assign(*cpu, *vector), model.assign(*cpu, *vector));
                if answers.0.is_ok() {
                    allocated.push((*cpu, *vector, false));
                }
                answers
            }
            Op::ReserveManaged(set) => {
                both(matrix.reserve_managed(set), model.reserve_managed(set))
            }
            Op::RemoveManaged(set) => both(matrix.remove_managed(set), model.remove_managed(set)),
            Op::AllocManaged(set) => pick(matrix.alloc_managed(set), model.alloc_managed(set)),
            Op::Reserve => {
                assert_eq!(matrix.reserve(), model.reserve());
                (Ok(None), Ok(None))
            }
            Op::RemoveReserved => both(matrix.remove_reserved(), model.remove_reserved()),
            Op::AllocAny(reserved) => pick(
                matrix.alloc(Affinity::Any, *reserved),
                model.alloc(Affinity::Any, *reserved),
            ),
            Op::AllocCpu(cpu, reserved) => {
                let affinity = Affinity::Cpu(*cpu);
                pick(
                    matrix.alloc(affinity, *reserved),
                    model.alloc(affinity, *reserved),
                )
            }
            Op::AllocSet(set, reserved) => {
                let affinity = Affinity::Set(set);
                pick(
                    matrix.alloc(affinity, *reserved),
                    model.alloc(affinity, *reserved),
                )
            }
            Op::FreeNth(nth, kind) => {
                let Some(at) = nth.checked_rem(allocated.len()) else {
                    return (Ok(None), Ok(None));
                };
                let (cpu, vector, managed) = allocated[at];
                let managed = managed == *kind;
                self.free(cpu, vector, managed)
            }
            Op::Free(cpu, vector, managed) => self.free(*cpu, *vector, *managed),
        }
    }

    fn free(&mut self, cpu: CpuId, vector: u8, managed: bool) -> (Answer, Answer) {
        let freed = self.matrix.free(cpu, vector, managed);
        if freed.is_ok() {
            self.allocated.retain(|(c, v, _)| (*c, *v) != (cpu, vector));
        }
        (
            freed.map(|()| None),
            self.model.free(cpu, vector, managed).map(|()| None),
        )
    }

    /// Every count and every bit.
    fn compare(&self) -> Result<(), TestCaseError> {
        let (matrix, model) = (&self.matrix, &self.model);
        prop_assert_eq!(matrix.check(), Ok(()));
        prop_assert_eq!(matrix.cpus() as usize, model.cpus.len());
        prop_assert_eq!(
            i64::try_from(matrix.available(None)).unwrap(),
            model.global_available
        );
        prop_assert_eq!(
            i64::try_from(matrix.reserved()).unwrap(),
            model.global_reserved
        );
        let total = model.total_allocated - model.freed_offline;
        prop_assert_eq!(i64::try_from(matrix.total_allocated()).unwrap(), total);
        let set = |bits: &[bool; 256]| (0..=255u8).filter(|v| bits[usize::from(*v)]).collect();
        prop_assert_eq!(*matrix.system_map(), set(&model.system));
        for (number, expected) in (0..).zip(&model.cpus) {
            let cpu = CpuId(number);
            let map = matrix.cpu(cpu).unwrap();
            prop_assert_eq!(*map.alloc_map(), set(&expected.alloc));
            prop_assert_eq!(*map.managed_map(), set(&expected.managed));
            prop_assert_eq!(map.available(), expected.available);
            prop_assert_eq!(map.managed_allocated(), expected.managed_allocated);
            prop_assert_eq!(matrix.is_online(cpu), expected.online);
            let others = i64::try_from(matrix.available(Some(cpu))).unwrap();
            prop_assert_eq!(others, model.available(Some(cpu)));
        }
        Ok(())
    }
}

fn agree(cpus: u32, end: u16, online: bool, ops: &[Op]) -> Result<(), TestCaseError> {
    let matrix = Matrix::with_range(cpus, 0x20..end).unwrap();
    let model = Model::new(cpus, 0x20..end);
    let mut pair = Pair {
        matrix,
        model,
        allocated: Vec::new(),
    };
    if online {
        for cpu in (0..cpus).map(CpuId) {
            pair.matrix.online(cpu).unwrap();
            pair.model.online(cpu).unwrap();
        }
    }
    for op in ops {
        let before = format!("{:?}", pair.matrix);
        let (answer, expected) = pair.apply(op);
        prop_assert_eq!(&answer, &expected, "{:?}", op);
        let managed = matches!(op, Op::AllocManaged(_));
        match answer {
            Ok(Some((cpu, vector))) if !matches!(op, Op::AddCpu) => {
                pair.allocated.push((cpu, vector, managed));
            }
            Ok(_) => {}
            Err(_) => prop_assert_eq!(before, format!("{:?}", pair.matrix), "{:?}", op),
        }
        pair.compare()?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_small_matrix_does_what_the_model_does(
        end in 0x22u16..0x34, online in any::<bool>(),
        ops in proptest::collection::vec(op(6), 1..300)
    ) {
        agree(6, end, online, &ops)?;
    }

    #[test]
    fn a_matrix_wider_than_a_line_does_what_the_model_does(
        end in 0x21u16..0x24, ops in proptest::collection::vec(op(100), 1..150)
    ) {
        agree(100, end, true, &ops)?;
    }
}

#[test]
fn allocating_until_nothing_is_left_gives_each_vector_once_and_keeps_the_load_even() {
    let mut matrix = Matrix::new(70);
    for cpu in 0..70 {
        matrix.online(CpuId(cpu)).unwrap();
    }
    let all = matrix.available(None);
    assert_eq!(all, 70 * (0xeb - 0x20));
    let cover = CpuSet::from(0..70);
    for count in 0..all {
        // A mask that covers every CPU chooses as no mask does.
        let affinity = if count % 2 == 0 {
            Affinity::Any
        } else {
            Affinity::Set(&cover)
        };
        let (cpu, vector) = matrix.alloc(affinity, false).unwrap();
        assert_eq!(u64::from(cpu.0), count % 70);
        assert_eq!(u64::from(vector), 0x20 + count / 70);
    }
    assert_eq!(
        matrix.alloc(Affinity::Any, false),
        Err(MatrixError::NoVector)
    );
    assert_eq!((matrix.available(None), matrix.total_allocated()), (0, all));
    matrix.check().unwrap();
}

#[test]
fn a_cpu_may_go_offline_only_if_the_others_have_room() {
    let mut matrix = Matrix::with_range(2, 0x20..0x24).unwrap();
    let (a, b) = (CpuId(0), CpuId(1));
    assert_eq!(
        matrix.check_offline(a),
        Err(MatrixError::Offline { cpu: a })
    );
    matrix.online(a).unwrap();
    matrix.online(b).unwrap();
    matrix.reserve_managed(&CpuSet::single(a)).unwrap();
    matrix.alloc_managed(&CpuSet::single(a)).unwrap();
    for cpu in [a, a, b, b] {
        matrix.alloc(Affinity::Cpu(cpu), false).unwrap();
    }
    // Two must move, two fit; the managed one stays.
    assert_eq!(matrix.check_offline(a), Ok(()));
    matrix.alloc(Affinity::Cpu(b), false).unwrap();
    let error = MatrixError::CannotOffline {
        cpu: a,
        allocated: 2,
        available: 1,
    };
    assert_eq!(matrix.check_offline(a), Err(error));
}

#[test]
fn what_is_held_while_a_cpu_is_offline_is_right_when_it_comes_back() {
    let mut matrix = Matrix::with_range(1, 0x20..0x22).unwrap();
    let cpu = CpuId(0);
    matrix.online(cpu).unwrap();
    matrix.offline(cpu).unwrap();
    matrix.reserve_managed(&CpuSet::single(cpu)).unwrap();
    matrix.online(cpu).unwrap();
    assert_eq!(matrix.available(None), 1);
    matrix.alloc(Affinity::Any, false).unwrap();
    assert_eq!(
        matrix.alloc(Affinity::Any, false),
        Err(MatrixError::NoVector)
    );
}

#[test]
fn a_range_must_hold_vectors_that_exist() {
    for range in [0x20..0x20, 0..257] {
        let error = Matrix::with_range(1, range.clone()).unwrap_err();
        assert_eq!(error, MatrixError::InvalidRange { range });
    }
    assert!(Matrix::with_range(1, 0..256).is_ok());
}

#[test]
fn a_matrix_can_be_sent_and_a_cpu_takes_at_most_120_bytes() {
    fn sent<T: Send + 'static>(_: &T) {}
    sent(&Matrix::new(1));
    assert!(size_of::<super::CpuMap>() <= 80);
}
