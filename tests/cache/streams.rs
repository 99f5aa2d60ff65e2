//! StreamVerify where some keys are at hand and others take their time.
