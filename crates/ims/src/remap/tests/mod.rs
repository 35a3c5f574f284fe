// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the room as a whole.
