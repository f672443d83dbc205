# image: tools

set -e
true
sqlite3 db <<'SQL'
pragma journal_mode=wal;
create table t (id integer primary key, x text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t (x) select hex(i) from n;
create index by_x on t (x);
select count(*), min(x), max(x) from t;
pragma integrity_check;
SQL
for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' db "update t set x = x || '-$i' where id = $i" & done; wait
sqlite3 db 'select x from t where id < 5 order by id; vacuum;' && ls db*
sqlite3 db .dump | sha256sum
