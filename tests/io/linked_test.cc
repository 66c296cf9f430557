#include "io/linked.h"

#include <gtest/gtest.h>

#include <string>

namespace wsproxy::io {
namespace {

struct Member : Linked {
  explicit Member(char name) : name_(name) {}
  char name_;
};

// Takes all of them out.
std::string drain(Linked& list) {
  std::string names;
  while (list.is_linked()) {
    auto* member = static_cast<Member*>(list.first());
    names += member->name_;
    member->unlink();
  }
  return names;
}

TEST(Linked, IsFirstInFirstOut) {
  Linked list;
  Member a('a'), b('b'), c('c');
  a.append_to(list);
  b.append_to(list);
  c.append_to(list);
  b.unlink();
  a.append_to(list);
  EXPECT_EQ(drain(list), "ca");
  EXPECT_FALSE(a.is_linked());
}

TEST(Linked, LeavesItsListWhenItDies) {
  Linked list;
  Member a('a');
  a.append_to(list);
  {
    Member b('b');
    b.append_to(list);
  }
  EXPECT_EQ(drain(list), "a");
}

TEST(Linked, TakesAListOver) {
  Linked from;
  Linked to;
  to.take(from);
  EXPECT_FALSE(to.is_linked());
  Member a('a'), b('b');
  a.append_to(from);
  b.append_to(from);
  to.take(from);
  EXPECT_FALSE(from.is_linked());
  EXPECT_EQ(drain(to), "ab");
}

}  // namespace
}  // namespace wsproxy::io
