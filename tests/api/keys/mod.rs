//! KeyService: one file for each method, and for what several share.

mod count_keys;
mod create_key;
mod create_key_refused;
mod creator;
mod delete_key;
mod disable_key;
mod etags;
mod expiry;
mod explain_verify;
mod get_key;
mod last_used;
mod list_keys;
mod list_keys_filter;
mod list_keys_pages;
mod lookup_key;
mod names;
mod not_yet;
mod operation;
mod protected;
mod request_id;
mod revoke_key;
mod rotate_key;
mod states;
mod undelete_key;
mod update_key;
mod update_key_refused;
