-- The outbox: what people are to be told, written in the transaction of what happened. What is rolled back
-- tells nothing, and nothing that happened waits for Novu. The chapter of notifications takes it from here.

create table app.outbox (
  id bigint generated always as identity primary key,
  event text not null,
  user_id uuid,
  subject_id uuid,
  details jsonb,
  created_at timestamptz not null default clock_timestamp()
);
comment on table app.outbox is 'What happened and has not been queued for anybody yet; see public.notifications.';
comment on column app.outbox.user_id is 'Whom to tell; null where the event says who they are: all who hold tickets, or staff.';
comment on column app.outbox.subject_id is 'The row that it is about; what is said of it is read when it is sent.';
comment on column app.outbox.details is 'What no row will say later.';

-- Tells somebody something. Called by functions of app.
create function app.tell(p_event text, p_user_id uuid, p_subject_id uuid default null, p_details jsonb default null) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into app.outbox (event, user_id, subject_id, details) values (p_event, p_user_id, p_subject_id, p_details);
end
$$;
