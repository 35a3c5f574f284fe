// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the matrix refused.

use super::CpuId;
use core::ops::Range;

/// Why the matrix refused; its state is then as it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// The mask names no CPU.
    #[error("the mask has no CPU; name at least one that is online")]
    InvalidMask,
    /// No CPU of the mask is online and has a vector left.
    #[error("no vector is left on the CPUs asked for; widen the affinity or free some")]
    NoVector,
    /// The range is empty or passes vector 255.
    #[error("no vectors in {range:?}; give a range that is not empty and ends at 256 or before")]
    InvalidRange {
        /// The range asked for.
        range: Range<u16>,
    },
    /// There is no such CPU.
    #[error("CPU {} is not in the matrix; add it first", .cpu.0)]
    UnknownCpu {
        /// The CPU.
        cpu: CpuId,
    },
    /// CPU numbers have run out.
    #[error("no CPU number is left")]
    TooManyCpus,
    /// The CPU is online already.
    #[error("CPU {} is online already", .cpu.0)]
    AlreadyOnline {
        /// The CPU.
        cpu: CpuId,
    },
    /// The CPU is not online.
    #[error("CPU {} is offline; bring it online first", .cpu.0)]
    Offline {
        /// The CPU.
        cpu: CpuId,
    },
    /// The other CPUs have no room for what is on this one.
    #[error(
        "CPU {} has {allocated} interrupts and the others room for {available}; free some first",
        .cpu.0
    )]
    CannotOffline {
        /// The CPU.
        cpu: CpuId,
        /// How many unmanaged interrupts would have to move.
        allocated: u16,
        /// How many vectors the other online CPUs have.
        available: u64,
    },
    /// The matrix does not allocate this vector.
    #[error("vector {vector:#x} is outside the matrix's range")]
    OutOfRange {
        /// The vector.
        vector: u8,
    },
    /// The vector is taken: allocated, held for managed interrupts, or the system's.
    #[error("vector {vector:#x} of CPU {} is taken", .cpu.0)]
    InUse {
        /// The CPU.
        cpu: CpuId,
        /// The vector.
        vector: u8,
    },
    /// The vector is not allocated.
    #[error("vector {vector:#x} of CPU {} is not allocated; was it freed before?", .cpu.0)]
    NotAllocated {
        /// The CPU.
        cpu: CpuId,
        /// The vector.
        vector: u8,
    },
    /// A managed vector was named as unmanaged, or the other way round.
    #[error("vector {vector:#x} of CPU {} is of the other kind, managed or not", .cpu.0)]
    WrongKind {
        /// The CPU.
        cpu: CpuId,
        /// The vector.
        vector: u8,
    },
    /// The CPU holds no managed vector that is not in use.
    #[error("CPU {} holds no idle managed vector; free the interrupt before", .cpu.0)]
    NoManagedVector {
        /// The CPU.
        cpu: CpuId,
    },
    /// No reservation is open.
    #[error("nothing is reserved; reserve first")]
    NothingReserved,
    /// The vector is the system's already.
    #[error("vector {vector:#x} is a system vector already")]
    AlreadySystem {
        /// The vector.
        vector: u8,
    },
    /// System vectors are settled before CPUs are online.
    #[error("{online} CPUs are online; assign system vectors before (to replace one: at most one)")]
    TooLate {
        /// How many CPUs are online.
        online: u32,
    },
}

impl MatrixError {
    /// The errno that says this to a caller who expects one (Linux numbers,
    /// positive).
    pub const fn errno(&self) -> i32 {
        const ENOENT: i32 = 2;
        const EBUSY: i32 = 16;
        const EEXIST: i32 = 17;
        const ENODEV: i32 = 19;
        const EINVAL: i32 = 22;
        const ENOSPC: i32 = 28;
        match self {
            Self::InvalidMask
            | Self::InvalidRange { .. }
            | Self::OutOfRange { .. }
            | Self::WrongKind { .. }
            | Self::NothingReserved => EINVAL,
            Self::NoVector | Self::TooManyCpus | Self::CannotOffline { .. } => ENOSPC,
            Self::UnknownCpu { .. } | Self::Offline { .. } => ENODEV,
            Self::AlreadyOnline { .. } | Self::AlreadySystem { .. } => EEXIST,
            Self::InUse { .. } | Self::TooLate { .. } => EBUSY,
            Self::NotAllocated { .. } | Self::NoManagedVector { .. } => ENOENT,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_errno() {
        use MatrixError as E;
        let (cpu, vector) = (CpuId(1), 0x41);
        for (error, errno) in [
            (E::InvalidMask, 22),
            (E::NoVector, 28),
            (E::InvalidRange { range: 0..0 }, 22),
            (E::UnknownCpu { cpu }, 19),
            (E::TooManyCpus, 28),
            (E::AlreadyOnline { cpu }, 17),
            (E::Offline { cpu }, 19),
            (
                E::CannotOffline {
                    cpu,
                    allocated: 2,
                    available: 1,
                },
                28,
            ),
            (E::OutOfRange { vector }, 22),
            (E::InUse { cpu, vector }, 16),
            (E::NotAllocated { cpu, vector }, 2),
            (E::WrongKind { cpu, vector }, 22),
            (E::NoManagedVector { cpu }, 2),
            (E::NothingReserved, 22),
            (E::AlreadySystem { vector }, 17),
            (E::TooLate { online: 2 }, 16),
        ] {
            assert_eq!(error.errno(), errno, "{error}");
        }
    }
}
