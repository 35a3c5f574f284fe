// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a scenario was refused.

use crate::given::GivenError;

/// Why a scenario was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScenarioError {
    /// One field, or the file.
    #[error(transparent)]
    Given(#[from] GivenError),
    /// Each field is right, and together they ask for too much.
    #[error("{factors} is {interrupts} interrupts; {right}")]
    TooMany {
        factors: String,
        interrupts: u64,
        right: String,
    },
}
