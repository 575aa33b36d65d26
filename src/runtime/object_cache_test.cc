#include "runtime/object_cache.h"

#include <gtest/gtest.h>

#include <map>

namespace skep::runtime {
namespace {

struct Table final : ObjectCache<int>::Source {
  std::shared_ptr<int> find(maps::Reference reference) noexcept override {
    ++asked;
    const auto found = objects.find(reference.id);
    return found == objects.end() || found->second.first != reference.generation ? nullptr : found->second.second;
  }
  void put(maps::Reference reference, int value) {
    objects[reference.id] = {reference.generation, std::make_shared<int>(value)};
  }
  std::map<std::uint32_t, std::pair<std::uint32_t, std::shared_ptr<int>>> objects;
  int asked = 0;
};

TEST(ObjectCache, FillsAMissOnce) {
  Epochs epochs;
  Table table;
  ObjectCache<int> cache(epochs, table);
  table.put({5, 1}, 50);
  const Epochs::Section section(epochs);
  EXPECT_EQ(*cache.find({5, 1}), 50);
  EXPECT_EQ(*cache.find({5, 1}), 50);
  EXPECT_EQ(table.asked, 1);
}

TEST(ObjectCache, AnotherGenerationIsAnotherObject) {
  Epochs epochs;
  Table table;
  ObjectCache<int> cache(epochs, table);
  table.put({5, 1}, 50);
  EXPECT_EQ(*cache.find({5, 1}), 50);
  EXPECT_EQ(cache.find({5, 2}), nullptr);
  table.put({5, 2}, 51);
  EXPECT_EQ(*cache.find({5, 2}), 51) << "that it was gone is not remembered";
}

TEST(ObjectCache, EmptySlotsAskNobody) {
  Epochs epochs;
  Table table;
  ObjectCache<int> cache(epochs, table);
  EXPECT_EQ(cache.find({}), nullptr);
  EXPECT_EQ(table.asked, 0);
}

TEST(ObjectCache, ForgottenObjectsAreAskedForAgain) {
  Epochs epochs;
  Table table;
  ObjectCache<int> cache(epochs, table);
  table.put({5, 1}, 50);
  cache.find({5, 1});
  table.objects.clear();
  EXPECT_NE(cache.find({5, 1}), nullptr);
  cache.forget({5, 1});
  EXPECT_EQ(cache.find({5, 1}), nullptr);
}

TEST(ObjectCache, CollidingIdsOnlyCostTime) {
  Epochs epochs;
  Table table;
  ObjectCache<int> cache(epochs, table);
  table.put({7, 1}, 70);
  table.put({7 + 4096, 2}, 71);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*cache.find({7, 1}), 70);
    EXPECT_EQ(*cache.find({7 + 4096, 2}), 71);
  }
}

}  // namespace
}  // namespace skep::runtime
